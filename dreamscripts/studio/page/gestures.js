// Wheel, pinch, drag, double tap and keys over a picture, as zoom and pan.

const KEY_STEP = 1.25;
const WHEEL_SPEED = 0.0016;
const PINCH_SPEED = 0.01; // a trackpad's pinch comes as a wheel with Ctrl, in small numbers
const LINE = 16;
const DOUBLE_TAP = { milliseconds: 320, pixels: 24 };
const AFTER_SCROLLING = 350; // milliseconds in which the wheel goes on scrolling the page that it had been scrolling
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

// Let gestures on `place` change `zoom`; call `changed()` after each. They end with the signal.
export function listenToGestures(place, zoom, changed, signal) {
  listenToWheel(place, zoom, changed, signal);
  listenToPointers(place, zoom, changed, signal);
}

// Obey a key. Return whether it was one of ours.
export function obeyKey(event, zoom, pans) {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (event.key === "+" || event.key === "=") zoom.zoom(KEY_STEP);
  else if (event.key === "-" || event.key === "_") zoom.zoom(1 / KEY_STEP);
  else if (event.key === "0") zoom.fit();
  else if (event.key === "1") zoom.magnify(1);
  else if (pans && event.key in ARROWS) {
    const [right, down] = ARROWS[event.key];
    const part = event.shiftKey ? 0.5 : 0.1;
    zoom.pan(right * zoom.place.width * part, down * zoom.place.height * part);
  } else return false;
  return true;
}

function listenToWheel(place, zoom, changed, signal) {
  let scrolled = -Infinity;
  window.addEventListener("scroll", () => (scrolled = performance.now()), { passive: true, signal });
  const wheel = (event) => {
    const pinches = event.ctrlKey;
    const amount = event.deltaY * (event.deltaMode === 1 ? LINE : event.deltaMode === 2 ? zoom.place.height : 1);
    const leaves = zoom.scale <= 1.001 && amount > 0; // the whole picture is in sight: the page scrolls on
    if (!pinches && (leaves || event.shiftKey || performance.now() - scrolled < AFTER_SCROLLING)) return;
    event.preventDefault();
    const { left, top } = place.getBoundingClientRect();
    zoom.zoom(Math.exp(-amount * (pinches ? PINCH_SPEED : WHEEL_SPEED)), event.clientX - left, event.clientY - top);
    if (zoom.scale < 1 && !pinches) zoom.fit();
    changed();
  };
  place.addEventListener("wheel", wheel, { passive: false, signal });
}

function listenToPointers(place, zoom, changed, signal) {
  const pointers = new Map(); // by id: the newest place of each finger
  const doubleTap = doubleTaps(place, zoom, changed);
  const down = (event) => {
    if (event.button !== 0) return;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (event.pointerType === "mouse" || pointers.size > 1 || !zoom.fits) place.setPointerCapture(event.pointerId);
    place.classList.toggle("is-dragged", !zoom.fits);
    doubleTap.down(event, pointers.size);
  };
  const move = (event) => {
    const pointer = pointers.get(event.pointerId);
    if (!pointer || pointers.size > 2) return;
    const before = middle(pointers);
    pointer.x = event.clientX;
    pointer.y = event.clientY;
    const after = middle(pointers);
    const { left, top } = place.getBoundingClientRect();
    zoom.pan(after.x - before.x, after.y - before.y);
    if (pointers.size === 2 && before.apart > 0) zoom.zoom(after.apart / before.apart, after.x - left, after.y - top);
    changed();
  };
  const up = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    place.classList.toggle("is-dragged", pointers.size > 0 && !zoom.fits);
    if (event.type === "pointerup") doubleTap.up(event);
  };
  place.addEventListener("pointerdown", down, { signal });
  place.addEventListener("pointermove", move, { signal });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) place.addEventListener(end, up, { signal });
}

// Return the middle of one or two fingers, and how far they are apart.
function middle(pointers) {
  const [first, second = first] = pointers.values();
  const apart = Math.hypot(first.x - second.x, first.y - second.y);
  return { x: (first.x + second.x) / 2, y: (first.y + second.y) / 2, apart };
}

// A double tap shows the pixels under it, and the next one the whole picture.
function doubleTaps(place, zoom, changed) {
  let pressed = null;
  let last = null;
  const near = (one, other) =>
    one && Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) < DOUBLE_TAP.pixels &&
    other.timeStamp - one.timeStamp < DOUBLE_TAP.milliseconds;
  return {
    down(event, fingers) {
      pressed = fingers === 1 ? event : null;
    },
    up(event) {
      if (!near(pressed, event)) return;
      if (!near(last, event)) {
        last = event;
        return;
      }
      last = null;
      const { left, top } = place.getBoundingClientRect();
      if (!zoom.fits) zoom.fit();
      else if (zoom.magnification < 0.7) zoom.magnify(1, event.clientX - left, event.clientY - top);
      else zoom.zoom(3, event.clientX - left, event.clientY - top);
      changed();
    },
  };
}
