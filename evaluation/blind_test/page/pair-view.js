"use strict";

const LARGEST_TIMES = 2;
const GAP = 16;

/**
 * Two pictures side by side, or two clips that play in step, at one whole enlargement; the original takes both places
 * when it is asked for.
 */
class PairView {
  /** images: data URIs, which pairs name by number. */
  constructor(images) {
    this.images = images;
    this.loaded = new Map();
    this.canvases = ["Left", "Right"].map((side) => element("canvas", { role: "img", "aria-label": `${side} picture` }));
    this.captions = ["left", "right"].map((side) => element("figcaption", {}, side));
    this.node = element("div", { class: "sides" }, [0, 1].map((n) => element("figure", {}, this.canvases[n], this.captions[n])));
    new ResizeObserver(() => this.fit()).observe(this.node);
  }

  /** Show a pair when all its pictures are there; whether it is still the one to show then. */
  async show(pair, next) {
    this.pair = pair;
    this.tracks = this.drawn = null;
    this.original = false;
    this.keepOnly([pair, next]);
    const tracks = await Promise.all([pair.left, pair.right, pair.original ?? []].map((numbers) => Promise.all(numbers.map((n) => this.load(n)))));
    if (this.pair !== pair) return false;
    for (const canvas of this.canvases) Object.assign(canvas, { width: pair.width, height: pair.height });
    this.tracks = tracks;
    this.fit();
    this.showOriginal(false);
    this.started = performance.now();
    this.play(pair, this.started);
    if (next) for (const n of [...next.left, ...next.right, ...(next.original ?? [])]) this.load(n);
    return true;
  }

  stop() {
    this.pair = this.tracks = null;
  }

  load(number) {
    if (!this.loaded.has(number)) {
      const image = new Image();
      image.src = this.images[number];
      this.loaded.set(number, image.decode().then(() => image));
    }
    return this.loaded.get(number);
  }

  /** Forget decoded pictures of other pairs, which take far more memory than coded ones. */
  keepOnly(pairs) {
    const kept = new Set(pairs.filter(Boolean).flatMap((pair) => [...pair.left, ...pair.right, ...(pair.original ?? [])]));
    for (const number of this.loaded.keys()) if (!kept.has(number)) this.loaded.delete(number);
  }

  showOriginal(shown) {
    this.original = shown && this.pair.original !== null;
    this.node.classList.toggle("original", this.original);
    this.label();
    if (this.drawn !== null && this.tracks) this.draw(this.drawn);
  }

  label() {
    const size = this.times < 1 ? `, reduced to ${Math.round(100 * this.times)} %` : "";
    this.captions.forEach((caption, side) => (caption.textContent = `${this.original ? "original" : ["left", "right"][side]}${size}`));
  }

  play(pair, now) {
    if (this.pair !== pair || !this.tracks) return;
    const count = pair.left.length;
    const number = Math.floor((Math.max(0, now - this.started) * pair.frameRate) / 1000) % count;
    if (number !== this.drawn) this.draw(number);
    if (count > 1) requestAnimationFrame((later) => this.play(pair, later));
  }

  draw(number) {
    this.drawn = number;
    this.canvases.forEach((canvas, side) => canvas.getContext("2d").drawImage(this.tracks[this.original ? 2 : side][number], 0, 0));
  }

  fit() {
    if (!this.tracks) return;
    const { width, height, mode } = this.pair;
    const dense = window.devicePixelRatio || 1;
    const across = (this.node.clientWidth - GAP) / 2, down = this.node.clientHeight - this.captions[0].offsetHeight;
    let times = Math.min((across * dense) / width, (down * dense) / height);
    // Enlarged by whole numbers of the screen's own pixels only, so that all samples stay squares of one size.
    if (times >= 1) times = Math.floor(mode === "zoom" ? times : Math.min(times, Math.max(1, LARGEST_TIMES * dense)));
    this.times = times;
    this.label();
    this.node.classList.toggle("enlarged", times >= 1);
    for (const canvas of this.canvases) Object.assign(canvas.style, { width: `${(width * times) / dense}px`, height: `${(height * times) / dense}px` });
  }
}
