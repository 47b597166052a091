"""From a source to batches: items, labels, splits, transforms, data sets, loaders, downloads."""
