"""Render the sample pictures: four computed "photographs" as start pictures of dreams.

    python samples/render.py            # all pictures, in the folder of this script
    python samples/render.py sky hills  # only these two

Each scene is computed from seeded noise and simple optics in linear light, and then converted to sRGB with a film-like
tone curve. The same seed always gives the same picture. Needs numpy, scipy and pillow.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import fft, ndimage
from scipy.spatial import cKDTree

WIDTH, HEIGHT = 1200, 800
LATTICE = np.random.default_rng(11).standard_normal((256, 256), np.float32) * 1.74


def rgb(red, green, blue, amount=1.0):
    """Return a colour of light (3,) times an amount, or (H, W, 3) if the amount is a map (H, W)."""
    return np.asarray(amount, np.float32)[..., None] * np.array((red, green, blue), np.float32)


def mix(a, b, t):
    """Blend from colours a to colours b by the map t, 0..1."""
    return a + (b - a) * t[..., None]


def smoothstep(low, high, x):
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def fractal_noise(x, y, octaves=6, gain=0.5, ridged=False):
    """Return noise at any coordinates: a sum of copies of one smooth random lattice, each finer and weaker."""
    x, y = (c.astype(np.float32) for c in np.broadcast_arrays(x, y))
    total = np.zeros_like(x)
    for octave in range(octaves):
        # Without a prefilter, the cubic spline blurs the random values, so that the noise is smooth.
        n = ndimage.map_coordinates(LATTICE, [y, x], np.float32, 3, mode="grid-wrap", prefilter=False)
        total += gain**octave * (1.1 - 2 * np.abs(n) if ridged else n)
        # The lattice is rotated between octaves, so that its axes are not visible.
        x, y = 2.03 * (0.8 * x - 0.6 * y) + 17.3, 2.03 * (0.6 * x + 0.8 * y) + 5.1
    return total


def spectral_noise(rng, shape, slope, lowest):
    """Return noise that tiles in every direction. Its amplitudes are proportional to frequency**-slope."""
    axes = [fft.fftfreq(n, 1 / shape[0]) for n in shape[:-1]] + [fft.rfftfreq(shape[-1], 1 / shape[0])]
    freq = np.sqrt(sum(f**2 for f in np.meshgrid(*axes, indexing="ij", sparse=True)))
    weight = np.where(freq < lowest, 0, np.maximum(freq, 1) ** -slope).astype(np.float32)
    noise = fft.irfftn(fft.rfftn(rng.standard_normal(shape, np.float32)) * weight, shape)
    return noise / noise.std()


def cell_noise(rng, n, counts):
    """Return a tiling cube (n, n, n) of distances to random points: low in round blobs, high between them."""
    grid = np.stack(np.meshgrid(*[(np.arange(n) + 0.5) / n] * 3, indexing="ij"), -1).reshape(-1, 3)
    trees = [cKDTree(rng.random((count**3, 3)), boxsize=1) for count in counts]
    total = sum(tree.query(grid)[0] * count * 0.5**k for k, (tree, count) in enumerate(zip(trees, counts, strict=True)))
    return ((total - total.mean()) / total.std()).reshape(n, n, n).astype(np.float32)


def shrink(picture, across=2, down=2):
    """Average blocks of samples into pixels."""
    h, w = picture.shape[:2]
    return picture.reshape(h // down, down, w // across, across, -1).mean((1, 3))


def develop(light, rng):
    """Convert linear light to 8-bit sRGB, with the soft highlights of film, and grain that hides banding."""
    film = 1 - np.exp(-np.maximum(light, 0))
    srgb = np.where(film < 0.0031308, film * 12.92, 1.055 * np.maximum(film, 1e-6) ** (1 / 2.4) - 0.055)
    srgb += rng.normal(0, 0.006, light.shape[:2])[..., None]
    return Image.fromarray((np.clip(srgb, 0, 1) * 255 + 0.5).astype(np.uint8))


def pixel_rays(focal, horizon, across=1, down=1):
    """Return how far the line of sight through each sample goes right and up per unit of distance ahead."""
    right = ((np.arange(WIDTH * across) + 0.5) / across - WIDTH / 2) / focal
    up = (horizon - (np.arange(HEIGHT * down) + 0.5) / down) / focal
    return np.meshgrid(right.astype(np.float32), up.astype(np.float32))


def look_across(height, distance, eye, up, *fields):
    """Project a landscape, given as height[distance, column], as seen from a point above it.

    Returns for each line of sight whether it hits the land, and the values of the fields there.
    """
    skyline = np.maximum.accumulate((height - eye) / distance[:, None], axis=0)
    hit = np.stack([np.searchsorted(column, up[:, 0]) for column in skyline.T], 1)
    nearest = np.minimum(hit, len(distance) - 1)
    seen = (np.take_along_axis(np.broadcast_to(f, height.shape), nearest, 0) for f in fields)
    return hit < len(distance), *seen


def before(backdrop, picture, present, across, down):
    """Shrink a picture and put it over a backdrop. `present` is its coverage, 0..1 or bool."""
    layer = shrink(np.dstack([picture, np.ones_like(picture[..., :1])]) * present[..., None], across, down)
    return layer[..., :3] + backdrop * (1 - layer[..., 3:])


def cloud_block(rng, cell, layers, sun):
    """Return two values for each cell of a block of cumulus that tiles sideways: depth in the cloud, and shade."""
    z = np.arange(layers) * np.float32(cell)
    lumps = spectral_noise(rng, (512, 512, layers), 1.9, 6)
    towers = 0.62 * spectral_noise(rng, (512, 512, 1), 2.3, 5) + 0.42 * lumps - 0.42 - 0.8 * z
    # All clouds start at the level where water condenses in rising air, so their undersides are flat.
    inside = np.minimum(towers, 2 * smoothstep(0, 0.18, z + 0.02 * lumps) - 1)
    opacity = np.clip(1.6 * (inside - 0.06), 0, 1) * cell / sun[2]
    shade = np.zeros_like(opacity)
    for k in range(layers - 2, -1, -1):  # add up the shade from top to bottom, along the light
        above = shade[..., k + 1] + opacity[..., k + 1]
        shade[..., k] = ndimage.shift(above, -sun[:2] / sun[2], order=1, mode="grid-wrap")
    return inside, shade


def day_air(up, toward_sun):
    """Return a clear daytime sky, brighter and paler near the horizon and around the sun."""
    off = 1 - toward_sun
    colour = mix(rgb(0.045, 0.17, 0.56), rgb(0.62, 0.74, 0.88), np.exp(-5 * np.maximum(up, 0)))
    glow = 0.6 * np.exp(-60 * off) + 0.12 * np.exp(-9 * off) + 5 * np.exp(-1800 * off)
    return colour + rgb(1, 0.9, 0.75, glow) + rgb(30, 28, 26, off < 3.5e-5)


def sky(rng):
    """Render cumulus clouds against the sun, by ray marching through a block of clouds that repeats every 16 km."""
    cell, base, layers, steps, thick = 0.032, 1.1, 64, 150, 32  # km, km, cells, samples, per km
    sun = np.array([0.277, 0.760, 0.588], np.float32)
    inside, shade = cloud_block(rng, cell, layers, sun)
    puffs = cell_noise(rng, 96, (6, 12, 24))

    right, up = pixel_rays(950, HEIGHT / 2)
    tilt = np.radians(23.5)
    ray = np.stack([right, np.cos(tilt) - up * np.sin(tilt), np.sin(tilt) + up * np.cos(tilt)], -1)
    ray = (ray / np.linalg.norm(ray, axis=-1, keepdims=True)).reshape(-1, 3).astype(np.float32)
    toward = ray @ sun
    # Droplets scatter light mostly forward, which makes the edges of clouds bright.
    forward, sideways = ((1 - g * g) / (1 + g * g - 2 * g * toward) ** 1.5 for g in (0.82, 0.2))
    clear, depth, light = np.ones_like(toward), np.zeros_like(toward), np.zeros_like(ray)
    # Samples at equal levels would be visible as steps. Random starts turn the steps into grain.
    offset = rng.random(len(ray), np.float32)
    alive = np.flatnonzero(ray[:, 2] > 0.012)
    for step in range(steps):
        rise = (step + offset[alive]) / steps * layers * cell
        along = (base + rise) / ray[alive, 2]
        at = np.stack([ray[alive, 0] * along + 3.2, ray[alive, 1] * along, rise]) / cell
        body = ndimage.map_coordinates(inside, at, order=1, mode="grid-wrap")
        near = body > -0.2
        i, at, along, body = alive[near], at[:, near], along[near], body[near]
        puff = ndimage.map_coordinates(puffs, at * (96 * cell / 0.9), order=1, mode="grid-wrap")
        density = np.clip(1.6 * (body - 0.11 * puff - 0.06), 0, 1) ** 1.2
        gain = clear[i] * (1 - np.exp(-thick * layers * cell / steps * density / ray[i, 2]))
        dim = thick * ndimage.map_coordinates(shade, at, order=1, mode="grid-wrap")
        # Light that is scattered once, a few times and many times: the more often, the deeper it reaches.
        sunlit = 0.5 * forward[i] * np.exp(-dim) + 0.55 * sideways[i] * np.exp(-dim / 4) + 0.38 * np.exp(-dim / 16)
        skylit = (0.22 + 0.51 * at[2] / layers) * (1 - 0.16 * puff)
        light[i] += rgb(1.3, 1.21, 1.07, gain * sunlit) + rgb(0.42, 0.52, 0.7, gain * skylit)
        depth[i] += gain * along
        clear[i] -= gain
        if step % 4 == 3:
            alive = alive[clear[alive] > 0.01]

    haze = np.exp(-((depth / np.maximum(1 - clear, 1e-4) / 26) ** 1.3))
    air = day_air(ray[:, 2], np.minimum(toward, 0.985))
    layer = np.column_stack([mix(air * (1 - clear)[:, None], light, haze), clear]).reshape(HEIGHT, WIDTH, 4)
    layer = ndimage.uniform_filter(layer, (3, 3, 0))
    return layer[..., :3] + layer[..., 3:] * day_air(ray[:, 2], toward).reshape(HEIGHT, WIDTH, 3)


def forest(rng, x, y, cell):
    """Return the heights of conifers, 0..1: one cone in each cell of three grids at different angles."""
    table = rng.random((3, 512, 512), np.float32)
    best = np.zeros_like(x)
    for turn in (0.4, 1.3, 2.2):
        u, v = (x * np.cos(turn) - y * np.sin(turn)) / cell, (x * np.sin(turn) + y * np.cos(turn)) / cell
        i, j = np.floor(u).astype(int), np.floor(v).astype(int)
        aside, ahead, tall = table[:, i % 512, j % 512]
        radius = np.hypot(u - i - 0.32 - 0.36 * aside, v - j - 0.32 - 0.36 * ahead)
        best = np.maximum(best, (0.45 + 0.55 * tall) * np.clip(1 - radius / 0.36, 0, 1))
    return best


def dawn_air(right, up, glow, off):
    """Return the sky at dawn, from peach to blue, with thin high clouds that are lit around the sun."""
    high = 1 / (np.maximum(up, 0) + 0.12)  # distance at which the line of sight meets a flat layer of cloud
    streaks = fractal_noise(right * high * 1.3 + 9, 1.2 * high, 6, 0.55)
    streaks = smoothstep(0.1, 1.6, streaks) * smoothstep(0, 0.2, up)
    air = mix(rgb(1.15, 0.58, 0.33), rgb(0.16, 0.27, 0.5), np.clip(up / 0.26, 0, 1) ** 0.7)
    air += rgb(0.9, 0.55, 0.42, streaks * (0.25 + 0.8 * glow)) + rgb(1.35, 0.77, 0.36, glow)
    return air + rgb(4, 3.2, 2.2, np.exp(-((off / 0.02) ** 2)))


def hills(rng):
    """Render wooded ridges above valley mist at dawn, with a low sun."""
    eye, distance = 0.93, np.geomspace(0.4, 50, 1700).astype(np.float32)  # km
    right, up = pixel_rays(1500, 0.37 * HEIGHT, 2, 2)
    far = distance[:, None]
    x, y = far * right[0], np.broadcast_to(far, (len(far), right.shape[1]))
    relief = 0.23 + 0.1 * smoothstep(6, 40, far)
    ground = 0.46 + relief * fractal_noise(x / 2.1 + 61, y / 2.1 + 38, 9, 0.46, ridged=True)
    ground += smoothstep(3, 30, far) * (0.05 + 0.3 * fractal_noise(x / 11 + 61, y / 11 + 38, 3))
    ground += 0.1 * smoothstep(20, 45, far) - 0.06 * smoothstep(3, 1, far)
    woods = smoothstep(9, 3, far)  # 0 for distant trees, which are too small to draw
    trees = forest(rng, x, y, 0.013) * woods
    slope = np.gradient(ground, axis=1) / (far * (right[0, 1] - right[0, 0]))
    mist = fractal_noise(x / 1.2 + 3, y / 2.5 + 8, 4)
    present, ground, slope, trees, mist, woods, far = look_across(
        ground + 0.022 * trees, distance, eye, up, ground, slope, trees, mist, woods, far
    )

    off = np.hypot(right - 0.17, 1.25 * (up - 0.05))  # distance from the sun in the picture
    glow = np.exp(-off / 0.13)
    land = mix(rgb(0.072, 0.06, 0.054), rgb(0.028, 0.045, 0.022), smoothstep(12, 4, far))
    land *= rgb(0.45, 0.6, 0.9) + rgb(3.2, 1.7, 0.75, np.clip(0.45 - 1.1 * slope, 0, 1.4))
    land *= (1 - 0.65 * woods + 0.9 * trees)[..., None]  # it is dark between the crowns
    # Mist and air thin out exponentially with height, so their integral along a line of sight has a closed form.
    drop = np.where(np.abs(ground - eye) < 2e-3, 2e-3, np.maximum(ground, -0.2) - eye)
    veil = 0
    for scale, dense in ((0.06, 2200 * np.clip(1 + 0.6 * mist, 0.1, 3)), (1.6, 0.1)):
        veil = veil + dense * far * scale * (np.exp(-eye / scale) - np.exp(-(eye + drop) / scale)) / drop
    air = mix(rgb(0.3, 0.4, 0.56), rgb(0.92, 0.62, 0.56), smoothstep(4, 40, far)) + rgb(1.35, 0.72, 0.32, glow)
    backdrop = dawn_air(*(shrink(f)[..., 0] for f in (right, up, glow, off)))
    return before(backdrop, mix(air, land, np.exp(-veil)), present, 2, 2)


def sunset_air(x, y, z, sun):
    """Return the sky at sunset in the direction (x, y, z), with streaks of cloud but without the disc of the sun."""
    z = np.maximum(z, 0)
    off = np.sqrt(np.maximum(2 - 2 * (x * sun[0] + y * sun[1] + z * sun[2]), 0))
    air = mix(rgb(0.06, 0.13, 0.34), rgb(0.44, 0.32, 0.42), np.exp(-z / 0.3))
    air = mix(air, rgb(1.35, 0.5, 0.13), np.exp(-z / 0.1)) * (0.4 + 0.8 * np.exp(-off / 0.6))[..., None]
    air += rgb(1.2, 0.5, 0.13, np.exp(-off / 0.2))
    u, v = 1.1 * x / (z + 0.055), 0.9 / (z + 0.055)
    bend = fractal_noise(u / 2 + 1, v / 2 + 4, 3)
    streaks = fractal_noise(0.6 * u + 0.4 * bend + 31, 2.2 * v + 0.5 * bend + 12, 7, 0.55)
    cover = smoothstep(-0.3, 1.6, streaks) * smoothstep(0, 0.06, z)
    # The light comes from behind: thin cloud glows, and thick cloud is darker than its edge.
    cloud = rgb(0.22, 0.1, 0.13) + rgb(0.75, 0.2, 0.12, np.exp(-z / 0.25))
    cloud += rgb(2.6, 0.9, 0.3, np.exp(-off / 0.3) * (1 - 0.75 * cover))
    return mix(air, cloud, 0.9 * cover)


def waves(rng, x, y, far, blur, count=40):
    """Return the height and slopes of small waves, and the variance of the slopes that are too fine to draw."""
    height, slope_x, slope_y, unseen = (
        np.zeros_like(x),
        np.zeros_like(x),
        np.zeros_like(x),
        np.zeros_like(far),
    )
    wander = fractal_noise(x / 22, y / 22 + 3, 3)
    for length in np.geomspace(0.16, 26, count) * rng.uniform(0.9, 1.1, count):
        aim = rng.normal(0.2, 0.5)
        kx, ky = 2 * np.pi / length * np.sin(aim), 2 * np.pi / length * np.cos(aim)
        # Short waves far away would give moiré. They are not drawn, but make the reflection rougher.
        drawn = smoothstep(2, 5, length / np.maximum(blur * abs(np.cos(aim)), far / 500))
        phase = kx * x + ky * y + rng.uniform(0, 2 * np.pi) + wander * min(2.2, 6 / length)
        crest = np.exp(1.1 * (np.sin(phase) - 1))  # crests are sharper than a sine, as in water
        size = drawn * length * (0.019 if length < 9 else 0.014)
        slope = 1.1 * size * np.cos(phase) * crest
        height += size * (crest - 0.45)
        slope_x += slope * kx
        slope_y += slope * ky
        unseen += 0.0018 * (1 - drawn)
    return height, slope_x, slope_y, unseen


def shore(rng):
    """Render small waves on wet sand, with the sun low over the sea."""
    eye, focal, horizon = 2.2, 1000, 0.44 * HEIGHT  # metres, pixels, pixels
    sun = np.array([-0.13, 0.989, 0.074], np.float32)
    # Rows of pixels are equally spaced in 1 / distance. A lower power adds samples on the hidden backs of far waves.
    distance = (np.linspace(3.5**-0.7, 9000**-0.7, 1400) ** (-1 / 0.7)).astype(np.float32)
    right, up = pixel_rays(focal, horizon, 1, 2)
    far = distance[:, None]
    x, y = far * right[0], np.broadcast_to(far, (len(far), WIDTH))
    inland = 6.3 + 0.1 * x + 0.5 * fractal_noise(x / 5 + 2.7, np.float32(0.5), 4) - y
    blur = np.maximum(far * far / (2 * eye * focal), np.gradient(distance)[:, None])
    height, slope_x, slope_y, unseen = waves(rng, x, y, far, blur)
    swell = smoothstep(0, 9, -inland)  # shallow water is calmer
    present, x, y, inland, slope_x, slope_y, unseen = look_across(
        height * swell, distance, eye, up, x, y, inland, slope_x * swell, slope_y * swell, unseen
    )

    # Mirror the line of sight in the water. Slopes that are too fine to draw raise and spread the reflection.
    norm, tip, rough = (
        1 / np.sqrt(1 + right**2 + up**2),
        1 / np.sqrt(1 + slope_x**2 + slope_y**2),
        np.sqrt(unseen),
    )
    view = np.stack([right * norm, norm, np.minimum(up * norm, -0.002)])
    normal = np.stack([-slope_x * tip, -slope_y * tip, tip])
    facing = np.minimum((view * normal).sum(0), -0.012)
    bounce = view - 2 * facing * normal
    bounce[2] = np.maximum(bounce[2], 0) + 0.9 * rough
    bounce /= np.linalg.norm(bounce, axis=0)
    across, above = (bounce[0] - sun[0]) / (0.06 + 0.25 * rough), (bounce[2] - sun[2]) / (0.07 + 0.9 * rough)
    mirror = sunset_air(*bounce, sun) + rgb(9, 4.6, 1.6, np.exp(-(across**2) - above**2))
    sea = mix(rgb(0.012, 0.035, 0.045), mirror, 0.02 + 0.98 * (1 + facing) ** 5 / (1 + 9 * unseen))

    grains = fractal_noise(x * 45, y * 45, 2, 0.7) + fractal_noise(x, y, 3)
    film = smoothstep(2, 0, inland)  # water left by the last wave
    sand = rgb(0.085, 0.058, 0.045, 1 + 0.12 * grains)
    sand = mix(sand, mirror, (0.2 + 0.8 * (1 + view[2]) ** 4) * (0.3 + 0.7 * film))
    wash = 2.2 * np.exp(-np.abs(inland + 0.15) / 0.2) + 1.2 * np.exp(-(((inland + 1.7) / 1.1) ** 2))
    lace = 0.7 * fractal_noise(x * 2.2 + 5, y * 2.2, 6, 0.7, ridged=True)
    foam = smoothstep(0, 1.3, lace + wash - 1.2) * smoothstep(0.3, 0, inland) * smoothstep(-5, -3, inland)
    froth = rgb(0.4, 0.33, 0.38) + rgb(0.5, 0.24, 0.1, np.exp(-np.abs(right - sun[0]) / 0.25))
    sea = mix(mix(sea, sand, smoothstep(-0.1, 0.15, inland)), froth, foam)

    right, up, norm = (shrink(f, 1, 2)[..., 0] for f in (right, up, norm))
    off = np.hypot(right - sun[0], up - sun[2])
    air = sunset_air(right * norm, norm, up * norm, sun) + rgb(1.6, 0.8, 0.3, np.exp(-off / 0.05))
    return before(air + rgb(9, 6, 2.6, np.exp(-((off / 0.021) ** 4))), sea, present, 1, 2)


def lay_stones(rng, wide, high, sizes):
    """Place stones side by side, largest first. Stones that would overlap others too much are skipped.

    Returns maps (high, wide) of the height, the number of the stone (0 = no stone), the position along the axes of the
    stone (2, …), and the slopes down and across (2, …).
    """
    rows, columns = np.ogrid[:high, :wide]
    top, number = np.zeros((high, wide), np.float32), np.zeros((high, wide), int)
    place, lean = np.mgrid[:high, :wide].astype(np.float32), np.zeros((2, high, wide), np.float32)
    for n, size in enumerate(sizes, 1):
        cx, cy, turn, power = rng.uniform((0, 0, 0, 2), (wide, high, np.pi, 2.8))
        narrow, flat, *lobes = rng.uniform((0.6, 0.45, 0, 0, 0), (0.95, 0.75, 6.3, 6.3, 6.3))
        if number[int(cy), int(cx)]:
            continue
        box = tuple(slice(max(int(c - 1.3 * size), 0), int(c + 1.3 * size)) for c in (cy, cx))
        y, x = rows[box[0]] - cy, columns[:, box[1]] - cx
        u, v = (x * np.cos(turn) + y * np.sin(turn)) / size, (y * np.cos(turn) - x * np.sin(turn)) / size
        around = np.arctan2(v, u)
        rim = 1 + sum(a * np.cos(k * around + p) for k, a, p in zip((2, 3, 5), (0.05, 0.06, 0.02), lobes, strict=True))
        inside = np.maximum(1 - (np.abs(u) ** power + np.abs(v / narrow) ** power) / rim**power, 0)
        if (number[box][inside > 0] > 0).mean() > 0.09:
            continue
        dome = size * (0.3 + flat * np.sqrt(inside))
        win = (inside > 0) & (dome > top[box])
        # The dome is vertical at its rim. The slopes are those of a slightly rounder dome, which reflects light.
        slopes = np.gradient(flat * size * np.sqrt(inside + 0.01))
        for field, value in zip((top, number, *place, *lean), (dome, n, u * size, v * size, *slopes), strict=True):
            field[box] = np.where(win, value, field[box])
    return top, number, place, lean


def pebbles(rng):
    """Render wet shingle from above, in low light from the upper left, as an upright picture."""
    sizes = 190 * (1 + np.arange(20000) / 8) ** -0.36
    top, number, (u, v), lean = lay_stones(rng, 2 * HEIGHT, 2 * WIDTH, sizes)
    stones = len(sizes) + 1
    slate, basalt, flint, brick = (0.2, 0.21, 0.22), (0.1, 0.115, 0.13), (0.3, 0.25, 0.19), (0.27, 0.15, 0.1)
    quartz, olive, taupe, jet = (0.45, 0.42, 0.37), (0.16, 0.19, 0.17), (0.33, 0.3, 0.28), (0.06, 0.065, 0.07)
    kinds = np.array([slate, basalt, flint, brick, quartz, olive, taupe, jet])
    tint = kinds[rng.integers(0, len(kinds), stones)] * rng.lognormal(0, 0.2, (stones, 1))
    tint *= rng.lognormal(0, 0.04, tint.shape)
    speckled, banded, veined = rng.random((3, stones)) ** np.array([[2], [4], [4]])  # most stones are plain
    tint[0], speckled[0], veined[0] = (0.035, 0.028, 0.022), 2, 0  # number 0 is the coarse wet sand between the stones

    a, b = u / 60 + 7.7 * number, v / 60 + 3.1 * number  # each stone has another part of the noise
    grain, marble = fractal_noise(a * 9, b * 9, 4, 0.8), fractal_noise(a, b, 5)
    bands = banded[number] * np.sin(b * 14 + 2.5 * marble)
    skin = tint[number] * np.maximum(1 + 0.2 * marble + 0.28 * speckled[number] * grain + 0.35 * bands, 0.15)[..., None]
    veins = smoothstep(0.1, 0, np.abs(fractal_noise(a * 0.7 + 50, b * 0.7, 5, 0.45)))
    skin = mix(skin, rgb(0.6, 0.57, 0.52), veins * veined[number])

    down, across = lean + 0.22 * np.array(np.gradient(ndimage.gaussian_filter(grain, 1.5)))
    norm = 1 / np.sqrt(1 + down**2 + across**2)
    sun = np.array([-0.52, -0.46, 0.72])  # across, down, up
    half = sun + np.array([0, 0, 1])
    half /= np.linalg.norm(half)  # a surface with this normal mirrors the sun
    facing, gloss = (np.maximum((d[2] - d[0] * across - d[1] * down) * norm, 0) for d in (sun, half))
    lit = np.ones_like(top)
    for reach in range(4, 136, 6):
        between = ndimage.shift(top, (-sun[1] * reach, -sun[0] * reach), order=1, mode="nearest")
        lit = np.minimum(lit, smoothstep(8, 0, between - sun[2] * reach - top))
    # The deeper a point lies below its surroundings, the less light it gets from the sky.
    open_sky = np.exp(-sum(np.maximum(ndimage.gaussian_filter(top, s) - top, 0) / s for s in (6, 20, 60)))
    skin *= rgb(3.3, 2.8, 2.2, facing * lit) + rgb(0.5, 0.6, 0.75, open_sky * (0.4 + 0.6 * norm))
    return shrink(skin + rgb(0.6, 0.57, 0.52, gloss**60 * lit) + rgb(0.05, 0.06, 0.075, open_sky * (1 - norm)))


SEEDS = {sky: 5, hills: 3, shore: 4, pebbles: 1}


def main():
    parser = argparse.ArgumentParser(description="Render the sample pictures.")
    scenes = {scene.__name__: scene for scene in SEEDS}
    parser.add_argument("scene", nargs="*", default="all", choices=[*scenes, "all"])
    wanted = parser.parse_args().scene
    for name in scenes if "all" in wanted else wanted:
        rng = np.random.default_rng(SEEDS[scenes[name]])
        path = Path(__file__).with_name(f"{name}.jpg")
        develop(scenes[name](rng), rng).save(path, quality=91, optimize=True)
        print(path.name)


if __name__ == "__main__":
    main()
