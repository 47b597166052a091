"""Where the public data sets are: the addresses that courses, books and notebooks for fastai use."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from vivace.core.files import ConfigKey, config_path

__all__ = ["URLs"]


class URLs:
    """Addresses of public data sets and models, for `untar_data(URLs.PETS)`.

    They lead to the publishers' own servers; vivace ships none of the data. Mind each set's own licence.
    """

    # ---- servers and their buckets
    MDL = "http://files.fast.ai/models/"
    GOOGLE = "https://storage.googleapis.com/"
    S3 = "https://s3.amazonaws.com/fast-ai-"
    URL = f"{S3}sample/"
    S3_IMAGE = f"{S3}imageclas/"
    S3_IMAGELOC = f"{S3}imagelocal/"
    S3_AUDI = f"{S3}audio/"
    S3_NLP = f"{S3}nlp/"
    S3_COCO = f"{S3}coco/"
    S3_MODEL = f"{S3}modelzoo/"

    # ---- images, one class each
    CALTECH_101 = f"{S3_IMAGE}caltech_101.tgz"
    CARS = f"{S3_IMAGE}stanford-cars.tgz"
    CIFAR = f"{URL}cifar10.tgz"
    CIFAR_100 = f"{S3_IMAGE}cifar100.tgz"
    CUB_200_2011 = f"{S3_IMAGE}CUB_200_2011.tgz"
    DOGS = f"{URL}dogscats.tgz"
    FLOWERS = f"{S3_IMAGE}oxford-102-flowers.tgz"
    FOOD = f"{S3_IMAGE}food-101.tgz"
    IMAGENETTE = f"{S3_IMAGE}imagenette2.tgz"
    IMAGENETTE_160 = f"{S3_IMAGE}imagenette2-160.tgz"
    IMAGENETTE_320 = f"{S3_IMAGE}imagenette2-320.tgz"
    IMAGEWANG = f"{S3_IMAGE}imagewang.tgz"
    IMAGEWANG_160 = f"{S3_IMAGE}imagewang-160.tgz"
    IMAGEWANG_320 = f"{S3_IMAGE}imagewang-320.tgz"
    IMAGEWOOF = f"{S3_IMAGE}imagewoof2.tgz"
    IMAGEWOOF_160 = f"{S3_IMAGE}imagewoof2-160.tgz"
    IMAGEWOOF_320 = f"{S3_IMAGE}imagewoof2-320.tgz"
    LSUN_BEDROOMS = f"{S3_IMAGE}bedroom.tgz"
    MNIST = f"{S3_IMAGE}mnist_png.tgz"
    MNIST_SAMPLE = f"{URL}mnist_sample.tgz"
    MNIST_TINY = f"{URL}mnist_tiny.tgz"
    MNIST_VAR_SIZE_TINY = f"{S3_IMAGE}mnist_var_size_tiny.tgz"
    PETS = f"{S3_IMAGE}oxford-iiit-pet.tgz"

    # ---- images with several labels, masks, points or boxes
    BIWI_HEAD_POSE = f"{S3_IMAGELOC}biwi_head_pose.tgz"
    BIWI_SAMPLE = f"{URL}biwi_sample.tgz"
    CAMVID = f"{S3_IMAGELOC}camvid.tgz"
    CAMVID_TINY = f"{URL}camvid_tiny.tgz"
    COCO_SAMPLE = f"{S3_COCO}coco_sample.tgz"
    COCO_TINY = f"{S3_COCO}coco_tiny.tgz"
    PASCAL_2007 = f"{S3_IMAGELOC}pascal_2007.tgz"
    PASCAL_2012 = f"{S3_IMAGELOC}pascal_2012.tgz"
    PLANET_SAMPLE = f"{URL}planet_sample.tgz"
    PLANET_TINY = f"{URL}planet_tiny.tgz"

    # ---- medical images
    SIIM_SMALL = f"{S3_IMAGELOC}siim_small.tgz"
    TCGA_SMALL = f"{S3_IMAGELOC}tcga_small.tgz"

    # ---- tables and recommendation
    ADULT_SAMPLE = f"{URL}adult_sample.tgz"
    ML_100k = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
    ML_SAMPLE = f"{URL}movie_lens_sample.tgz"

    # ---- text
    AG_NEWS = f"{S3_NLP}ag_news_csv.tgz"
    AMAZON_REVIEWS = f"{S3_NLP}amazon_review_full_csv.tgz"
    AMAZON_REVIEWS_POLARITY = f"{S3_NLP}amazon_review_polarity_csv.tgz"
    DBPEDIA = f"{S3_NLP}dbpedia_csv.tgz"
    HUMAN_NUMBERS = f"{URL}human_numbers.tgz"
    IMDB = f"{S3_NLP}imdb.tgz"
    IMDB_SAMPLE = f"{URL}imdb_sample.tgz"
    MT_ENG_FRA = f"{S3_NLP}giga-fren.tgz"
    SOGOU_NEWS = f"{S3_NLP}sogou_news_csv.tgz"
    WIKITEXT = f"{S3_NLP}wikitext-103.tgz"
    WIKITEXT_TINY = f"{S3_NLP}wikitext-2.tgz"
    YAHOO_ANSWERS = f"{S3_NLP}yahoo_answers_csv.tgz"
    YELP_REVIEWS = f"{S3_NLP}yelp_review_full_csv.tgz"
    YELP_REVIEWS_POLARITY = f"{S3_NLP}yelp_review_polarity_csv.tgz"

    # ---- sound
    MACAQUES = f"{GOOGLE}ml-animal-sounds-datasets/macaques.zip"
    ZEBRA_FINCH = f"{GOOGLE}ml-animal-sounds-datasets/zebra_finch.zip"

    # ---- pretrained language models
    OPENAI_TRANSFORMER = f"{S3_MODEL}transformer.tgz"
    WT103_BWD = f"{S3_MODEL}wt103-bwd.tgz"
    WT103_FWD = f"{S3_MODEL}wt103-fwd.tgz"

    @staticmethod
    def path(url: str = ".", c_key: ConfigKey = "archive") -> Path:
        """Return where the file behind `url` is kept, or would be once it is fetched.

        A file of that name in `data/` (`models/` for the key `"model"`) of the current folder comes first.

        Args:
            url: An address; its last part is the file's name.
            c_key: Which of the folders of `vivace.core.files.config_path`.

        Raises:
            ArgumentError: There is no folder `c_key`.
        """
        name = Path(urlsplit(url).path).name
        nearby = Path.cwd() / ("models" if c_key == "model" else "data") / name
        return nearby if nearby.is_file() else config_path(c_key) / name
