"""All formats of pictures, Pillow's and its plugins'. Imported late: they load libraries of megabytes."""

import pillow_heif
import pillow_jxl  # noqa: F401  # importing it registers it
from PIL import Image

pillow_heif.register_heif_opener(thumbnails=False)
Image.init()
