"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const styles = new Map(data.summary.rows.map((row, number) => [row.codec, number]));
const metrics = new Map(data.metrics.map((metric) => [metric.name, metric]));

function title(name) {
  return metrics.get(name).title;
}

function quantity(name, value) {
  const unit = metrics.get(name).unit;
  return `${title(name)} ${digits(value)}${unit && value !== null ? ` ${unit}` : ""}`;
}

function percent(value) {
  return `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(1)} %`;
}

function speed(range) {
  if (!range.length) return "not measured";
  const texts = range.map((value) => digits(value, 3));
  return texts[0] === texts[1] ? texts[0] : `${texts[0]} to ${texts[1]}`;
}

function bdRateCell(cell) {
  if (!cell) return element("td", { class: "number" }, "anchor");
  if (cell.problem) return element("td", { class: "number" }, "none", element("small", { style: "white-space: normal; max-width: 16rem; margin-left: auto" }, cell.problem));
  const notes = [cell.clips === 1 ? "1 clip" : `mean of ${cell.clips} clips`];
  if (cell.interval) notes.push(`95 %: ${cell.interval.map(percent).join(" to ")}`);
  if (cell.average !== null && cell.clips > 1) notes.push(`averaged curve: ${percent(cell.average)}`);
  return element("td", { class: "number" }, percent(cell.percent), notes.map((note) => element("small", {}, note)));
}

function summaryTable() {
  const { anchor, metrics: names, rows } = data.summary;
  const head = ["Codec", ...names.map((name) => `BD-rate, ${title(name)}`), "Encoding, pictures/s", "Decoding, pictures/s", "Points"];
  return element(
    "div", { class: "wide" },
    element(
      "table", {},
      element("thead", {}, element("tr", {}, head.map((text, n) => element("th", { scope: "col", class: n ? "number" : "" }, text)))),
      element("tbody", {}, rows.map((row) => element(
        "tr", {},
        element("th", { scope: "row" }, row.codec),
        names.map((name) => bdRateCell(row.codec === anchor ? null : row.bdRates[name])),
        [speed(row.encodeSpeed), speed(row.decodeSpeed), row.points].map((text) => element("td", { class: "number" }, String(text))),
      ))),
    ),
  );
}

function commandLines() {
  return element(
    "details", { id: "commands" }, element("summary", {}, "Command lines"),
    data.summary.rows.map((row) => [
      element("h3", {}, row.codec),
      element("p", { class: "soft" }, row.description, Object.entries(row.software).map(([name, version]) => `; ${name} ${version}`)),
      row.encodeCommands.map(({ command }) => element("div", {}, element("code", {}, command))),
      element("div", {}, element("code", {}, row.decodeCommand)),
    ]),
  );
}

function curves() {
  const clips = [...new Set(data.curves.map((curve) => curve.clip))];
  const state = { clip: clips[0] ?? "", metric: data.summary.metrics[0], rate: "bpp", log: true };
  const chart = new Chart({ label: "Rate-distortion curves; left and right arrow keys go from point to point" });

  function seriesOf(curve) {
    const rates = curve.rates[state.rate], values = curve.values[state.metric] ?? [], intervals = curve.intervals[state.metric] ?? [];
    const unit = state.rate === "bpp" ? "bpp" : "kbit/s";
    return {
      name: curve.codec,
      style: styles.get(curve.codec),
      points: values.map((y, n) => ({
        x: rates[n], y, low: intervals[n]?.[0], high: intervals[n]?.[1],
        text: `${curve.settings[n]}\n${digits(rates[n])} ${unit}\n${quantity(state.metric, y)}`,
      })),
    };
  }

  function update(changes) {
    Object.assign(state, changes);
    const metric = metrics.get(state.metric);
    chart.set(data.curves.filter((curve) => (curve.clip ?? "") === state.clip).map(seriesOf), {
      logX: state.log, invertY: metric.lowerIsBetter, yLabel: metric.axis.replace("\n", ", "),
      xLabel: state.rate === "bpp" ? "Rate (bits per pixel)" : "Rate (kbit/s)",
    });
  }

  const clipNames = clips.map((clip) => [clip ?? "", clip ?? "mean over clips"]);
  const controls = element(
    "div", { class: "controls" },
    choice("Clip", clipNames, state.clip, (clip) => update({ clip })),
    choice("Metric", data.metrics.map(({ name, title: text }) => [name, text]), state.metric, (metric) => update({ metric })),
    choice("Rate", [["bpp", "bits per pixel"], ["bitrate", "kbit/s"]], state.rate, (rate) => update({ rate })),
    choice("Axis", [["log", "logarithmic"], ["linear", "linear"]], "log", (axis) => update({ log: axis === "log" })),
  );
  update({});
  const bars = data.curves.some((curve) => Object.keys(curve.intervals).length)
    ? element("p", { class: "soft" }, "Bars on means: 95 % bootstrap interval of the mean over clips.") : null;
  return [controls, chart.node, bars];
}

function pointText(point, clip) {
  const difference = percent(100 * (point.bitsPerPixel / clip.rate - 1));
  const quality = data.summary.metrics.filter((name) => name in point.metrics).map((name) => quantity(name, point.metrics[name]));
  return [`${point.codec} ${point.setting}`, `${digits(point.bitsPerPixel)} bpp (${difference})`, ...quality].join(", ");
}

function pictureCurves(clip) {
  const names = data.metrics.map((metric) => metric.name).filter((name) => clip.points.some((point) => name in point.values));
  const bits = new Chart({ label: `Bits of each picture of ${clip.name}`, xLabel: "Picture", yLabel: "kbit", fromZero: true });
  const quality = new Chart({ label: `Quality of each picture of ${clip.name}`, xLabel: "Picture" });

  function seriesOf(point, values, text) {
    return {
      name: point.codec, style: styles.get(point.codec), marks: false,
      points: values.map((y, x) => ({ x, y, text: `picture ${x}, ${point.kinds[x]}\n${text(y)}` })),
    };
  }

  function show(metric) {
    const { axis, lowerIsBetter } = metrics.get(metric);
    quality.set(
      clip.points.filter((point) => metric in point.values).map((point) => seriesOf(point, point.values[metric], (value) => quantity(metric, value))),
      { yLabel: axis.replace("\n", ", "), invertY: lowerIsBetter },
    );
  }

  bits.set(clip.points.map((point) => seriesOf(point, point.bits.map((count) => count / 1000), (value) => `${digits(value)} kbit`)));
  const first = data.summary.metrics.find((name) => names.includes(name)) ?? names[0];
  if (first) show(first);
  return [
    element("h3", {}, "Picture by picture"),
    element("div", { class: "controls" }, choice("Quality", names.map((name) => [name, title(name)]), first, show)),
    element("div", { class: "pair" }, bits.node, quality.node),
  ];
}

function streamMaps(clip, point) {
  if (point.mapsProblem) return element("p", { class: "soft" }, `No maps of ${point.codec}: ${point.mapsProblem}.`);
  if (!point.maps) return null;
  const place = element("div", { class: "maps" });

  function show(number) {
    place.replaceChildren(...point.maps[number].map((map) => element(
      "figure", {},
      element("img", { src: map.image, alt: `Map: ${map.title}, picture ${clip.pictures[number]}` }),
      element("figcaption", {}, `${map.title}, ${map.range}`,
        map.isFlow ? element("div", {}, element("img", { class: "wheel", src: data.flowWheel, alt: "Colour of each direction" })) : null),
    )));
  }

  show(0);
  return element(
    "section", { class: "stream-maps" },
    element("h3", {}, `Where the bits of ${point.codec} went`),
    element("p", { class: "soft" }, "Darker is less, on one scale for all pictures. Colours of motion say where in the picture before a sample comes from: white stands still, the strongest colours move as far as said or farther, and the wheel shows each direction as seen from its centre."),
    element("div", { class: "controls" }, choice("Picture", clip.pictures.map((number, n) => [String(n), String(number)]), "0", (value) => show(Number(value)))),
    place,
  );
}

function clipSection(clip) {
  const facts = `${clip.width}×${clip.height}, ${clip.frames} pictures, ${digits(clip.frameRate)} pictures/s, ${clip.bitDepth} bit`;
  const parts = [element("h2", {}, clip.name), element("p", { class: "soft" }, facts)];
  parts.push(element("p", {}, `Each codec at its point nearest to ${digits(clip.rate, 3)} bits per pixel.`));
  for (const problem of [clip.problem, clip.outlinesProblem]) if (problem) parts.push(element("p", { class: "notice" }, problem));
  for (const point of clip.points)
    if (point.problem) parts.push(element("p", { class: "notice" }, `No pictures of ${point.codec}: ${point.problem}.`));
  const versions = clip.points.filter((point) => point.images).map((point) => ({ name: point.codec, caption: pointText(point, clip), images: point.images, outlines: point.outlines, first: Boolean(point.maps) }));
  if (clip.original && versions.length) {
    parts.push(comparison(clip, [{ name: "original", caption: "original", images: clip.original }, ...versions]));
    parts.push(element("p", { class: "soft" },
      "Decoded pictures, embedded without loss" + (clip.bitDepth > 8 ? ", reduced to 8 bit for display." : ".") + " From 100 % on, each sample is a square without smoothing."));
  } else {
    parts.push(element("ul", {}, clip.points.map((point) => element("li", {}, pointText(point, clip)))));
  }
  parts.push(foundComparison(clip), frameStrips(clip), ...pictureCurves(clip), ...clip.points.map((point) => streamMaps(clip, point)));
  return element("section", { class: "clip" }, parts.filter((part) => part !== null));
}

document.title = `${data.title}: rate-distortion`;
document.getElementById("report").replaceChildren(
  element("h1", {}, data.title),
  element("p", { class: "soft" }, `${data.clips.length} clip${data.clips.length > 1 ? "s" : ""}, ${data.summary.rows.length} codec${data.summary.rows.length > 1 ? "s" : ""}`),
  element("h2", {}, "Summary"), summaryTable(),
  element("p", { class: "soft" },
    `BD-rate: rate at equal quality against ${data.summary.anchor}; negative saves rate. Speeds are of the whole command, start-up included, from the slowest to the fastest point.`),
  commandLines(),
  ...(data.task ? [taskSection(data.task)] : []),
  element("h2", {}, "Rate and distortion"), ...curves().filter((part) => part !== null),
  ...data.clips.map(clipSection),
);
