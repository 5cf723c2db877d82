"use strict";

/** What a task's measures say: a table and a chart for each network and method. */
function taskSection(task) {
  const state = { look: 0, log: true };
  const table = element("div", { class: "wide" });
  const chart = new Chart({ label: "The task's measure over the rate; left and right arrow keys go from point to point" });

  function update(changes) {
    Object.assign(state, changes);
    const look = task.looks[state.look];
    const line = look.uncompressed === null ? [] : [uncompressedLine(look)];
    chart.set([...look.rows.map((row) => taskSeries(look, row)), ...line], { logX: state.log, xLabel: "Rate (bits per pixel)", yLabel: look.axis });
    table.replaceChildren(taskTable(task, look));
  }

  const names = task.looks.map((look, number) => [String(number), `${look.axis} of ${look.name}`]);
  const controls = element(
    "div", { class: "controls" },
    choice("Network", names, "0", (value) => update({ look: Number(value) })),
    choice("Axis", [["log", "logarithmic"], ["linear", "linear"]], "log", (axis) => update({ log: axis === "log" })),
  );
  update({});
  return element(
    "section", { id: "task" },
    element("h2", {}, "What networks still find"), controls, chart.node, table,
    element("p", { class: "soft" },
      `BD-rate: rate at equal measure against ${task.anchor}; negative saves rate. Rates of losses: bits per pixel at which the measure has fallen by that share of what it is for uncompressed pictures.`),
  );
}

function taskSeries(look, row) {
  return {
    name: row.codec, style: styles.get(row.codec) ?? 0,
    points: row.values.map((y, n) => ({ x: row.bpp[n], y, text: `${row.settings[n]}\n${digits(row.bpp[n])} bpp\n${look.axis} ${digits(y)}` })),
  };
}

/** The measure of uncompressed pictures, at the ends of all rates. */
function uncompressedLine(look) {
  const rates = look.rows.flatMap((row) => row.bpp);
  const text = `uncompressed\n${look.axis} ${digits(look.uncompressed)}`;
  const ends = [Math.min(...rates), Math.max(...rates)].map((x) => ({ x, y: look.uncompressed, text }));
  return { name: "uncompressed", style: styles.size, marks: false, points: ends };
}

function taskTable(task, look) {
  const losses = task.losses.map((share) => `bpp at −${Math.round(100 * share)} %`);
  const head = ["Codec", "BD-rate", ...losses, "GMAC a frame"];
  return element(
    "table", {},
    element("thead", {}, element("tr", {}, head.map((text, n) => element("th", { scope: "col", class: n ? "number" : "" }, text)))),
    element("tbody", {}, look.rows.map((row) => element(
      "tr", {}, element("th", { scope: "row" }, row.codec), taskRate(task, row),
      [...row.rates.map((rate) => (rate === null ? "not reached" : digits(rate))), spread(row.gmac)].map((text) => element("td", { class: "number" }, text)),
    ))),
  );
}

function taskRate(task, row) {
  if (row.problem) return element("td", { class: "number" }, "none", element("small", { style: "white-space: normal; max-width: 16rem; margin-left: auto" }, row.problem));
  if (row.bdRate === null) return element("td", { class: "number" }, row.codec === task.anchor ? "anchor" : "none");
  const interval = row.interval && element("small", {}, `95 %: ${row.interval.map(percent).join(" to ")}`);
  return element("td", { class: "number" }, percent(row.bdRate), interval ?? "");
}

function spread(range) {
  const texts = range.map((value) => digits(value, 3));
  return texts[0] === texts[1] ? texts[0] : `${texts[0]} to ${texts[1]}`;
}

/** Ground truth, and what the network finds in the original and in each codec's picture, on top of each other. */
function foundComparison(clip) {
  if (!clip.found) return null;
  const versions = [];
  if (clip.found.labels) versions.push({ name: "ground truth", caption: "what should be found", images: clip.found.labels });
  versions.push({ name: "original", caption: "found in the original", images: clip.found.original });
  for (const point of clip.points)
    if (point.found) versions.push({ name: point.codec, caption: `found in ${pointText(point, clip)}`, images: point.found, outlines: point.outlines, first: Boolean(point.maps) });
  return element(
    "section", { class: "found" },
    element("h3", {}, "What the network finds"),
    clip.foundProblem && element("p", { class: "notice" }, clip.foundProblem),
    comparison(clip, versions),
  );
}

/** A row of cells for each codec, a cell for each frame: the darker, the less of the best of all frames is found. */
function frameStrips(clip) {
  if (!clip.strips.length) return null;
  const place = element("div", { class: "strips" });

  function show(number) {
    const strip = clip.strips[number];
    const all = strip.rows.flatMap((row) => row.values).filter((value) => value !== null);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const share = (value) => (high > low ? (value - low) / (high - low) : 1);
    place.replaceChildren(...strip.rows.map((row) => element(
      "div", { class: "strip" },
      element("div", { class: "soft" }, row.codec === "uncompressed" ? row.codec : `${row.codec} ${row.setting}`),
      drawing(
        "svg", { viewBox: `0 0 ${row.values.length} 1`, preserveAspectRatio: "none", role: "img", "aria-label": `${strip.measure} of each frame, ${row.codec}` },
        row.values.map((value, n) => drawing(
          "rect", { x: n, y: 0, width: 1.02, height: 1, class: value === null ? "unknown" : "known", "fill-opacity": value === null ? 0 : 0.05 + 0.95 * share(value) },
          drawing("title", {}, `picture ${n}: ${value === null ? "nothing to find" : `${strip.measure} ${digits(value)}`}`),
        )),
      ),
    )), element("p", { class: "soft" }, all.length ? `From ${digits(low, 3)} (pale) to ${digits(high, 3)} (strong) ${strip.measure}.` : "Nothing is known of single frames."));
  }

  show(0);
  const names = clip.strips.map((strip, number) => [String(number), `${strip.measure} of ${strip.name}`]);
  return element(
    "section", { class: "frame-strips" },
    element("h3", {}, "Frame by frame"),
    element("div", { class: "controls" }, choice("Network", names, "0", (value) => show(Number(value)))),
    place,
  );
}
