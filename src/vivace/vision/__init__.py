"""Images: data, augmentation, models, learners, widgets."""
