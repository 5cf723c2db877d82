"use strict";

const ZOOMS = [["fit", "to fit"], ["1", "100 %"], ["2", "200 %"], ["4", "400 %"], ["8", "800 %"]];

/**
 * Two versions of a picture on top of each other, with a divider that is moved.
 *
 * versions: [{name, caption, images, outlines, first}], one image for each number in pictures; outlines of regions may
 * be missing. The original is compared at first with the version that is `first`, or else with the one after it. Over
 * the pictures lies the region of the right version, or else of the left one, or else of the clip.
 */
function comparison(clip, versions) {
  const state = { left: 0, right: Math.max(versions.findIndex((version) => version.first), Math.min(1, versions.length - 1)), picture: 0, zoom: "fit" };
  const size = { width: clip.width, height: clip.height };
  const left = element("img", { ...size, alt: "", class: "left", draggable: "false" });
  const right = element("img", { ...size, alt: "", class: "right", draggable: "false" });
  const hasOutlines = clip.outlines || versions.some((version) => version.outlines);
  const outline = hasOutlines && element("img", { ...size, alt: "Outline of the region of interest", class: "outline", draggable: "false" });
  const pictures = element("div", { class: "pictures" }, left, right, outline || null);
  const view = element("div", { class: "view", tabindex: 0, "aria-label": "Picture, scrolls when zoomed" }, pictures);
  const divider = element("div", { class: "divider" });
  const stage = element("div", { class: "stage" }, view, divider);
  const position = element("input", {
    class: "position", type: "range", min: 0, max: 1000, value: 500, "aria-label": "Divider between the two pictures",
    oninput: () => divide(),
  });
  const captions = [element("div"), element("div")];

  function divide() {
    // The divider stays where it is in the window onto the picture, whatever part is scrolled into it.
    const x = (position.value / 1000) * view.clientWidth;
    divider.style.left = `${x}px`;
    right.style.clipPath = `inset(0 0 0 ${view.scrollLeft + x}px)`;
  }

  function update() {
    const [a, b] = [versions[state.left], versions[state.right]];
    for (const [image, version] of [[left, a], [right, b]]) {
      image.src = version.images[state.picture];
      image.alt = `${version.name}, picture ${clip.pictures[state.picture]} of ${clip.name}`;
    }
    if (outline) {
      const drawn = [b, a, clip].map((one) => one.outlines?.[state.picture]).find((image) => image);
      if (drawn) outline.src = drawn;
      outline.style.visibility = drawn ? "" : "hidden";
    }
    captions[0].replaceChildren("left: ", a.caption);
    captions[1].replaceChildren("right: ", b.caption);
    fit();
  }

  function fit() {
    // Enlarged by whole numbers only, so that all samples stay squares of one size.
    const times = state.zoom === "fit" ? Math.floor(node.clientWidth / clip.width) : Number(state.zoom);
    pictures.classList.toggle("zoomed", times >= 1);
    pictures.style.width = times ? `${clip.width * times}px` : "100%";
    stage.style.width = times ? `${clip.width * times + 2}px` : "100%";
    position.style.width = stage.style.width;
    divide();
  }

  function choose(name) {
    return (value) => {
      state[name] = name === "zoom" ? value : Number(value);
      update();
    };
  }

  function zoomTo(value) {
    // What is in the middle stays there.
    const across = (view.scrollLeft + view.clientWidth / 2) / view.scrollWidth;
    const down = (view.scrollTop + view.clientHeight / 2) / view.scrollHeight;
    choose("zoom")(value);
    view.scrollLeft = across * view.scrollWidth - view.clientWidth / 2;
    view.scrollTop = down * view.scrollHeight - view.clientHeight / 2;
    divide();
  }

  const names = versions.map((version, number) => [String(number), version.name]);
  const numbers = clip.pictures.map((number, n) => [String(n), String(number)]);
  view.addEventListener("scroll", divide);
  view.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch" || !(event.buttons & 1)) return;
    position.value = Math.round((1000 * (event.clientX - view.getBoundingClientRect().left)) / view.clientWidth);
    divide();
  });
  const node = element(
    "div", { class: "comparison" },
    element(
      "div", { class: "controls" },
      choice("Left", names, String(state.left), choose("left")), choice("Right", names, String(state.right), choose("right")),
      choice("Picture", numbers, "0", choose("picture")), choice("Zoom", ZOOMS, "fit", zoomTo),
      outline ? choice("Region", [["shown", "outlined"], ["hidden", "not shown"]], "shown", (value) => { outline.style.display = value === "shown" ? "" : "none"; }) : null,
    ),
    stage, position, element("div", { class: "sides" }, captions),
  );
  new ResizeObserver(fit).observe(node);
  update();
  return node;
}
