"""Draws what people draw: `draw.py FOLDER` makes ten diagrams and screenshots of a few colours, the same each time."""

import math
import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIZES = [(1300, 900), (1920, 1080), (1600, 1200), (2400, 1350), (1440, 2560)]
COLORS = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"]
WORDS = "supply ground signal clock reset enable buffer driver sensor relay fuse lamp motor valve pump probe".split()


class Sheet:
    """A picture to draw on at twice its size, so that its edges are smooth as a program's are."""

    def __init__(self, width, height, background):
        self.size = (width, height)
        self.image = Image.new("RGB", (2 * width, 2 * height), background)
        self.draw = ImageDraw.Draw(self.image)

    def font(self, size):
        return ImageFont.load_default(2 * size)

    def box(self, x, y, width, height, **style):
        self.draw.rounded_rectangle([2 * x, 2 * y, 2 * (x + width), 2 * (y + height)], radius=16, width=4, **style)

    def line(self, points, fill, width=2):
        self.draw.line([(2 * x, 2 * y) for x, y in points], fill=fill, width=2 * width, joint="curve")

    def text(self, x, y, words, size=18, fill="#222222"):
        self.draw.text((2 * x, 2 * y), words, fill=fill, font=self.font(size))

    def save(self, path):
        self.image.resize(self.size, Image.Resampling.BOX).save(path)


def boxes(sheet, dice):
    """A block diagram: boxes with a name, and right-angled lines between them."""
    width, height = sheet.size
    places = [(x, y) for x in range(40, width - 200, 240) for y in range(40, height - 100, 160)]
    dice.shuffle(places)
    for (x, y), (to_x, to_y) in zip(places, places[1:]):
        sheet.line([(x + 80, y + 40), (to_x + 80, y + 40), (to_x + 80, to_y + 40)], fill="#555555")
    for x, y in places:
        sheet.box(x, y, 160, 80, fill=dice.choice(COLORS), outline="#222222")
        sheet.text(x + 16, y + 26, dice.choice(WORDS), fill="#ffffff")


def curves(sheet, dice):
    """A chart: axes, a grid, and curves."""
    width, height = sheet.size
    for at in range(80, width - 40, (width - 120) // 10):
        sheet.line([(at, 40), (at, height - 60)], fill="#dddddd", width=1)
        sheet.text(at - 12, height - 52, str(at), size=14)
    for at in range(40, height - 60, (height - 100) // 8):
        sheet.line([(80, at), (width - 40, at)], fill="#dddddd", width=1)
        sheet.text(20, at - 10, str(at), size=14)
    for color in COLORS[:6]:
        phase, speed = dice.uniform(0, 6), dice.uniform(0.004, 0.02)
        middle, swing = dice.uniform(0.3, 0.7) * height, dice.uniform(0.1, 0.25) * height
        points = [(x, middle + swing * math.sin(phase + speed * x)) for x in range(80, width - 40, 4)]
        sheet.line(points, fill=color, width=3)


def bars(sheet, dice):
    """Bars, with a legend."""
    width, height = sheet.size
    for number, at in enumerate(range(80, width - 240, 60)):
        tall = dice.randint(40, height - 160)
        sheet.box(at, height - 60 - tall, 40, tall, fill=COLORS[number % 5], outline="#333333")
        sheet.text(at, height - 50, str(tall), size=14)
    for number in range(5):
        sheet.box(width - 200, 40 + 40 * number, 24, 24, fill=COLORS[number], outline="#333333")
        sheet.text(width - 164, 40 + 40 * number, dice.choice(WORDS))


def page(sheet, dice):
    """A screenshot: a bar of buttons, a list at the side, text."""
    width, height = sheet.size
    sheet.draw.rectangle([0, 0, 2 * width, 112], fill="#24292f")
    sheet.draw.rectangle([0, 112, 520, 2 * height], fill="#f0f2f5")
    for number, at in enumerate(range(20, width - 120, 130)):
        sheet.box(at, 12, 110, 32, fill="#0969da" if number else "#2da44e", outline="#24292f")
        sheet.text(at + 14, 16, dice.choice(WORDS), size=16, fill="#ffffff")
    for at in range(76, height - 24, 34):
        sheet.text(20, at, dice.choice(WORDS), size=18, fill="#0969da")
        sheet.text(290, at, " ".join(dice.choices(WORDS, k=(width - 300) // 80)), size=16)


def scheme(sheet, dice):
    """A circuit: thin lines, round nodes, small letters, on paper that is not white."""
    width, height = sheet.size
    for _ in range(60):
        x, y = dice.randrange(60, width - 60, 20), dice.randrange(60, height - 60, 20)
        to_x, to_y = dice.randrange(60, width - 60, 20), dice.randrange(60, height - 60, 20)
        sheet.line([(x, y), (to_x, y), (to_x, to_y)], fill="#103070", width=1)
        sheet.draw.ellipse([2 * x - 10, 2 * y - 10, 2 * x + 10, 2 * y + 10], fill="#c02020")
        sheet.text(x + 6, y + 4, dice.choice(WORDS), size=12)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    drawings = [boxes, curves, bars, page, scheme]
    for number in range(10):
        path = folder / f"{number}-{drawings[number % 5].__name__}.png"
        if path.exists():
            continue
        paper = "#fdf6e3" if drawings[number % 5] is scheme else "#ffffff"
        sheet = Sheet(*SIZES[(number + number // 5) % 5], paper)
        drawings[number % 5](sheet, random.Random(number))
        part = path.with_suffix(".part.png")
        sheet.save(part)
        part.rename(path)


main(Path(sys.argv[1]))
