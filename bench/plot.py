"""Draws the figures that it reads from its standard input as JSON (type drawing of plot.go)."""

import json
import math
import sys

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

COLOURS = ["#2f5d8a", "#8fb8de", "#e08e45", "#b8b8b8"]


def short(v):
    """A number for a bar: three digits or so."""
    return f"{v:,.0f}" if v >= 100 else f"{v:.1f}" if v >= 10 else f"{v:.2f}"


def draw(d):
    """Draws one figure: groups of bars, each bar with a line from its least to its most."""
    series = [s for s in d["series"] if any(s["bars"])]
    fig, axes = plt.subplots(figsize=(1 + 1.15 * max(len(d["groups"]), 4), 4.5), dpi=110)
    width = 0.8 / len(series)
    for at, s in enumerate(series):
        for group, bar in enumerate(s["bars"]):
            if not bar or bar["median"] <= 0 or not math.isfinite(bar["median"]):
                continue
            x = group + (at - (len(series) - 1) / 2) * width
            axes.bar(x, bar["median"], 0.92 * width, color=COLOURS[at % len(COLOURS)],
                     label=s["name"] if s["name"] not in axes.get_legend_handles_labels()[1] else None)
            axes.plot([x, x], [max(bar["min"], 1e-9), bar["max"]], color="black", linewidth=0.8)
            axes.annotate(short(bar["median"]), (x, bar["max"]), ha="center", va="bottom", fontsize=7)
    top = max(b["max"] for s in series for b in s["bars"] if b)
    if d["logarithmic"]:
        axes.set_yscale("log")
        axes.set_ylim(top=5 * top)  # room for the legend
    else:
        axes.set_ylim(0, 1.3 * top)
    axes.set_title(d["title"])
    axes.set_ylabel(d["axis"])
    axes.set_xticks(range(len(d["groups"])), [g.replace(", ", ",\n") for g in d["groups"]], fontsize=7)
    axes.legend(loc="upper left", fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    fig.tight_layout()
    fig.savefig(d["file"])
    plt.close(fig)


for one in json.load(sys.stdin):
    draw(one)
