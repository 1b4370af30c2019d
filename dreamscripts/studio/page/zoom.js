// Where a picture lies in its place: the arithmetic of zoom and pan.
//
// `scale` is relative to the size at which the whole picture fits; `x` and `y` are the shares of the picture's width and
// height that lie in the middle of the place. Both mean the same for a picture of more or fewer pixels, so a larger
// octave of the same picture takes the place of a smaller one without a jump.

const CLOSEST = 32; // screen pixels for one pixel of the picture, at most
const LEAST_RANGE = 8; // even a small picture can be enlarged by this from the size that fits

export class Zoom {
  constructor() {
    this.place = { width: 1, height: 1 };
    this.picture = { width: 1, height: 1 };
    this.density = 1;
    this.fit();
  }

  // Set the size of the place in CSS pixels, and the screen pixels in each.
  setPlace(width, height, density) {
    this.place = { width: Math.max(width, 1), height: Math.max(height, 1) };
    this.density = density;
    this.#keepInside();
  }

  // Set the size of the picture in its own pixels.
  setPicture(width, height) {
    this.picture = { width: Math.max(width, 1), height: Math.max(height, 1) };
    this.#keepInside();
  }

  // CSS pixels for each pixel of the picture where it fits its place.
  get #fitting() {
    return Math.min(this.place.width / this.picture.width, this.place.height / this.picture.height);
  }

  // Screen pixels for each pixel of the picture: 1 is 100 %.
  get magnification() {
    return this.#fitting * this.scale * this.density;
  }

  get fits() {
    return Math.abs(this.scale - 1) < 0.001;
  }

  get size() {
    const size = this.#fitting * this.scale;
    return { width: this.picture.width * size, height: this.picture.height * size };
  }

  // The rectangle of the picture within its place, in CSS pixels.
  get box() {
    const { width, height } = this.size;
    return { left: this.place.width / 2 - this.x * width, top: this.place.height / 2 - this.y * height, width, height };
  }

  // Show the whole picture, as large as its place.
  fit() {
    this.scale = 1;
    this.x = this.y = 0.5;
  }

  // Show a pixel of the picture as `magnification` pixels of the screen. The point (left, top) stays where it is.
  magnify(magnification, left, top) {
    this.zoom(magnification / this.magnification, left, top);
  }

  // Enlarge by a factor. The point (left, top) of the place stays where it is; by default this is the middle.
  zoom(factor, left = this.place.width / 2, top = this.place.height / 2) {
    const before = this.box;
    const x = (left - before.left) / before.width;
    const y = (top - before.top) / before.height;
    this.scale *= factor;
    this.#keepInside();
    const { width, height } = this.size;
    this.x = x - (left - this.place.width / 2) / width;
    this.y = y - (top - this.place.height / 2) / height;
    this.#keepInside();
  }

  // Move the picture by CSS pixels.
  pan(right, down) {
    const { width, height } = this.size;
    this.x -= right / width;
    this.y -= down / height;
    this.#keepInside();
  }

  #keepInside() {
    const actual = 1 / (this.#fitting * this.density);
    const largest = Math.max(CLOSEST * actual, LEAST_RANGE);
    this.scale = Math.min(Math.max(this.scale, Math.min(1, actual)), largest);
    const { width, height } = this.size;
    this.x = within(this.x, this.place.width / width / 2);
    this.y = within(this.y, this.place.height / height / 2);
  }
}

// Keep the middle at least `edge` from both ends, or in the middle where the picture is smaller than its place.
function within(middle, edge) {
  return edge >= 0.5 ? 0.5 : Math.min(Math.max(middle, edge), 1 - edge);
}
