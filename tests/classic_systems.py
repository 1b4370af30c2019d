"""The classic DeepDream programs again, with their own names, for comparison with dreamscripts.

Nothing is imported from dreamscripts. Pictures (H, W, 3) are preprocessed. `model` is a Keras model that returns
{layer: activations}; TensorFlow runs and differentiates it directly. `shifts` is an iterator of random shifts (down,
right).
"""

import numpy as np
import tensorflow as tf
from scipy import ndimage


def score_and_gradient(model, score, img):
    """Return a score of the activations {layer: (1, h, w, c)} for a picture, and its gradient."""
    x = tf.constant(img[None], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = score(model(x, training=False))
    return float(value), tape.gradient(value, x)[0].numpy().astype(np.float64)


# The Keras InceptionV3 example ---------------------------------------------------------------------------------------


def keras_inception_example(
    model, layer_settings, original_img, *, step, num_octave, octave_scale, iterations, max_loss
):
    def compute_loss(activations):
        loss = 0.0
        for name, coeff in layer_settings.items():
            activation = activations[name]
            scaling = tf.reduce_prod(tf.cast(tf.shape(activation), "float32"))
            loss += coeff * tf.reduce_sum(tf.square(activation[:, 2:-2, 2:-2, :])) / scaling
        return loss

    def resize(img, size):
        return tf.image.resize(img, size, method="bilinear").numpy()

    original_shape = original_img.shape[:2]
    successive_shapes = [original_shape]
    for i in range(1, num_octave):
        successive_shapes.append(tuple(int(dim / octave_scale**i) for dim in original_shape))
    successive_shapes = successive_shapes[::-1]

    shrunk_original_img = resize(original_img, successive_shapes[0])
    img = original_img
    for shape in successive_shapes:
        img = resize(img, shape)
        for _ in range(iterations):
            loss, grads = score_and_gradient(model, compute_loss, img)
            if max_loss is not None and loss > max_loss:
                break
            grads /= max(np.mean(np.abs(grads)), 1e-7)
            img = img + step * grads
        upscaled_shrunk_original_img = resize(shrunk_original_img, shape)
        same_size_original = resize(original_img, shape)
        lost_detail = same_size_original - upscaled_shrunk_original_img
        img = img + lost_detail
        shrunk_original_img = resize(original_img, shape)
    return img


# The TensorFlow tutorial ---------------------------------------------------------------------------------------------


def tutorial_score(layers):
    return lambda activations: tf.reduce_sum([tf.reduce_mean(activations[layer]) for layer in layers])


def tutorial_simple(model, layers, img, *, steps, step_size):
    """Return the picture after all steps, and the score before each step."""
    losses = []
    for _ in range(steps):
        loss, gradients = score_and_gradient(model, tutorial_score(layers), img)
        gradients /= np.std(gradients) + 1e-8
        img = np.clip(img + gradients * step_size, -1, 1)
        losses.append(loss)
    return img, losses


def tutorial_octaves(model, layers, img, *, octaves, octave_scale, steps, step_size):
    base_shape = np.float32(img.shape[:2])
    for n in octaves:
        new_shape = tuple(int(side) for side in base_shape * np.float32(octave_scale**n))
        img = tf.image.resize(img, new_shape).numpy()
        img, _ = tutorial_simple(model, layers, img, steps=steps, step_size=step_size)
    return tf.image.resize(img, img_shape(base_shape)).numpy()


def tutorial_tiled(model, layers, img, *, octaves, octave_scale, steps, step_size, tile_size, shifts):
    base_shape = np.float32(img.shape[:2])
    for n in octaves:
        img = tf.image.resize(img, img_shape(base_shape * np.float32(octave_scale**n))).numpy()
        for _ in range(steps):
            gradients = tutorial_tiled_gradients(model, layers, img, tile_size, next(shifts))
            img = np.clip(img + gradients * step_size, -1, 1)
    return tf.image.resize(img, img_shape(base_shape)).numpy()


def tutorial_tiled_gradients(model, layers, img, tile_size, shift):
    img_rolled = tf.roll(tf.constant(img, tf.float32), shift=shift, axis=[0, 1])
    gradients = tf.zeros_like(img_rolled)
    xs = tf.range(0, img_rolled.shape[1], tile_size)[:-1]
    if not tf.cast(len(xs), bool):
        xs = tf.constant([0])
    ys = tf.range(0, img_rolled.shape[0], tile_size)[:-1]
    if not tf.cast(len(ys), bool):
        ys = tf.constant([0])
    for x in xs:
        for y in ys:
            with tf.GradientTape() as tape:
                tape.watch(img_rolled)
                img_tile = img_rolled[y : y + tile_size, x : x + tile_size]
                loss = tutorial_score(layers)(model(img_tile[None], training=False))
            gradients = gradients + tape.gradient(loss, img_rolled)
    gradients = tf.roll(gradients, shift=[-shift[0], -shift[1]], axis=[0, 1])
    return (gradients / (tf.math.reduce_std(gradients) + 1e-8)).numpy()


def img_shape(sides):
    return tuple(int(side) for side in sides)


# The Caffe notebook --------------------------------------------------------------------------------------------------


def objective_l2(activation):
    """Return the gradient that is set at the layer, instead of a score."""
    return activation


def objective_guide(guide_activation):
    def objective(activation):
        ch = activation.shape[-1]
        x = activation.reshape(-1, ch).T
        y = guide_activation.reshape(-1, ch).T
        a = x.T.dot(y)  # compute the matrix of dot products with guide features
        return y[:, a.argmax(1)].T.reshape(activation.shape)  # select ones that match best

    return objective


def caffe_deepdream(model, end, base_img, *, iter_n, octave_n, octave_scale, mean, shifts, objective):
    def make_step(src, step_size=1.5):
        oy, ox = next(shifts)
        src = np.roll(np.roll(src, ox, 1), oy, 0)
        data = tf.constant(src[None], tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(data)
            dst = model(data, training=False)[end]
        g = tape.gradient(dst, data, output_gradients=tf.constant(objective(dst.numpy())))[0].numpy()
        src = src + step_size / np.abs(g).mean() * g
        src = np.roll(np.roll(src, -ox, 1), -oy, 0)
        return np.clip(src, -mean, 255 - mean)

    octaves = [base_img]
    for _ in range(octave_n - 1):
        octaves.append(zoom(octaves[-1], 1.0 / octave_scale, 1.0 / octave_scale))
    detail = np.zeros_like(octaves[-1])
    for octave, octave_base in enumerate(octaves[::-1]):
        h, w = octave_base.shape[:2]
        if octave > 0:
            h1, w1 = detail.shape[:2]
            detail = zoom(detail, 1.0 * h / h1, 1.0 * w / w1)
        src = octave_base + detail
        for _ in range(iter_n):
            src = make_step(src)
        detail = src - octave_base
    return src


def zoom(img, down, right):
    # The notebook leaves `mode` at "constant", so a rounding error makes the last row black for some sizes.
    return ndimage.zoom(img, (down, right, 1), order=1, mode="nearest")


# The feature-visualisation notebook ----------------------------------------------------------------------------------


def notebook_graph(model):
    """Return the network as the notebook loads it, with pixel values as its input."""
    imagenet_mean = 117.0
    return lambda t_input, training: model(t_input - imagenet_mean, training=training)


def notebook_resize(img, size):
    return tf.compat.v1.image.resize_bilinear(np.float32(img)[None], size)[0].numpy()


def notebook_calc_grad_tiled(graph, t_obj, img, tile_size, shift):
    sz = tile_size
    h, w = img.shape[:2]
    sy, sx = shift
    img_shift = np.roll(np.roll(img, sx, 1), sy, 0)
    grad = np.zeros_like(img)
    for y in range(0, max(h - sz // 2, sz), sz):
        for x in range(0, max(w - sz // 2, sz), sz):
            sub = img_shift[y : y + sz, x : x + sz]
            grad[y : y + sz, x : x + sz] = notebook_grad(graph, t_obj, sub)
    return np.roll(np.roll(grad, -sx, 1), -sy, 0)


def notebook_grad(graph, t_obj, img):
    return score_and_gradient(graph, lambda activations: tf.reduce_mean(t_obj(activations)), img)[1]


def notebook_naive(graph, t_obj, img0, *, iter_n=20, step=1.0):
    img = img0.copy()
    for _ in range(iter_n):
        g = notebook_grad(graph, t_obj, img)
        g /= g.std() + 1e-8
        img += g * step
    return img


def notebook_multiscale(
    graph, t_obj, img0, *, iter_n=10, step=1.0, octave_n=3, octave_scale=1.4, tile_size=512, shifts
):
    img = img0.copy()
    for octave in range(octave_n):
        if octave > 0:
            hw = np.float32(img.shape[:2]) * octave_scale
            img = notebook_resize(img, np.int32(hw))
        for _ in range(iter_n):
            g = notebook_calc_grad_tiled(graph, t_obj, img, tile_size, next(shifts))
            g /= g.std() + 1e-8
            img += g * step
    return img


K = np.float32([1, 4, 6, 4, 1])
K = np.outer(K, K)
K5X5 = K[:, :, None, None] / K.sum() * np.eye(3, dtype=np.float32)


def lap_split(img):
    lo = tf.nn.conv2d(img, K5X5, [1, 2, 2, 1], "SAME")
    lo2 = tf.nn.conv2d_transpose(lo, K5X5 * 4, tf.shape(img), [1, 2, 2, 1])
    return lo, img - lo2


def lap_merge(levels):
    img = levels[0]
    for hi in levels[1:]:
        img = tf.nn.conv2d_transpose(img, K5X5 * 4, tf.shape(hi), [1, 2, 2, 1]) + hi
    return img


def normalize_std(img, eps=1e-10):
    std = tf.sqrt(tf.reduce_mean(tf.square(img)))
    return img / tf.maximum(std, eps)


def lap_normalize(img, scale_n=4):
    img, levels = tf.constant(img[None], tf.float32), []
    for _ in range(scale_n):
        img, hi = lap_split(img)
        levels.append(hi)
    levels = [img, *levels[::-1]]
    return lap_merge([normalize_std(level) for level in levels])[0].numpy()


def notebook_lapnorm(
    graph, t_obj, img0, *, iter_n=10, step=1.0, octave_n=3, octave_scale=1.4, lap_n=4, tile_size=512, shifts
):
    img = img0.copy()
    for octave in range(octave_n):
        if octave > 0:
            hw = np.float32(img.shape[:2]) * octave_scale
            img = notebook_resize(img, np.int32(hw))
        for _ in range(iter_n):
            g = notebook_calc_grad_tiled(graph, t_obj, img, tile_size, next(shifts))
            img += lap_normalize(g, lap_n) * step
    return img


def notebook_deepdream(graph, t_obj, img0, *, iter_n=10, step=1.5, octave_n=4, octave_scale=1.4, tile_size=512, shifts):
    img = img0
    octaves = []
    for _ in range(octave_n - 1):
        hw = img.shape[:2]
        lo = notebook_resize(img, np.int32(np.float32(hw) / octave_scale))
        hi = img - notebook_resize(lo, hw)
        img = lo
        octaves.append(hi)

    for octave in range(octave_n):
        if octave > 0:
            hi = octaves[-octave]
            img = notebook_resize(img, hi.shape[:2]) + hi
        for _ in range(iter_n):
            g = notebook_calc_grad_tiled(graph, t_obj, img, tile_size, next(shifts))
            img = img + g * (step / (np.abs(g).mean() + 1e-7))
    return img


def visstd(a, s=0.1):
    """Normalise the contrast of a picture that was made from noise, and clip it to 0..1."""
    return ((a - a.mean()) / max(a.std(), 1e-4) * s + 0.5).clip(0, 1)
