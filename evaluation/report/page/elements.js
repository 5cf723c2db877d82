"use strict";

/** An HTML element with attributes, and children that are elements or text. Attributes named on... are listeners. */
function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same in SVG. */
function drawing(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** A labelled choice; options are [value, text]. */
function choice(label, options, selected, changed) {
  const select = element(
    "select",
    { onchange: () => changed(select.value) },
    options.map(([value, text]) => element("option", { value, selected: value === selected }, text)),
  );
  return element("label", {}, label, select);
}

/** A number with so many significant digits and no exponent. */
function digits(value, count = 4) {
  if (value === null || value === undefined) return "identical or not measured";
  return Number(value.toPrecision(count)).toLocaleString("en", { maximumFractionDigits: 8, useGrouping: false });
}
