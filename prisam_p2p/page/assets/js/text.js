/* Numbers and names as texts, and small DOM helpers. Everything goes in by textContent: ids and
   reasons come from journals, which may be a stranger's. */
"use strict";

var prisam = {};

(function () {
  const MIB = 1024 * 1024;

  /** Return an element; `children` are texts or elements, `attributes` are set as they are. */
  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "class") made.className = value;
      else if (name === "text") made.textContent = value;
      else if (value !== null && value !== undefined && value !== false)
        made.setAttribute(name, value === true ? "" : value);
    }
    made.append(
      ...children
        .filter((child) => child !== null && child !== undefined)
        .map((child) => (child instanceof Node ? child : String(child))),
    );
    return made;
  }

  /** Return a text that means itself in HTML, for the few places that take markup only. */
  function escape(text) {
    return String(text).replace(/[&<>"'`]/g, (mark) => `&#${mark.charCodeAt(0)};`);
  }

  const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);

  /** A number with so many digits after the point, thousands apart; "not known" of null. */
  function number(value, digits = 0) {
    if (!known(value)) return "not known";
    return Number(value).toLocaleString("en-US", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
  }

  /** A share in [0, 1] as per cent. */
  const share = (value, digits = 1) =>
    known(value) ? `${number(value * 100, digits)} %` : "not known";

  const seconds = (value, digits = 2) =>
    known(value) ? `${number(value, digits)} s` : "not known";

  /** Bytes in the unit that reads best: B, KiB or MiB. */
  function bytes(value) {
    if (!known(value)) return "not known";
    if (Math.abs(value) >= MIB) return `${number(value / MIB, 2)} MiB`;
    if (Math.abs(value) >= 1024) return `${number(value / 1024, 1)} KiB`;
    return `${number(value)} B`;
  }

  /** Bytes to the byte. */
  const wholeBytes = (value) => (known(value) ? `${number(value)} B` : "not known");

  /** Bytes beside an axis, where most are whole: without a point and zeros. */
  const axisBytes = (value) => bytes(value).replace(/\.0+(?= )/, "");

  /**
   * The step of an axis of bytes up to `most`: 1, 2 or 5 times a power of ten, in B, KiB or MiB.
   */
  function byteStep(most) {
    const unit = most >= MIB ? MIB : most >= 1024 ? 1024 : 1;
    const least = Math.max(most / unit / 5, unit === 1 ? 1 : 0);
    const ten = 10 ** Math.floor(Math.log10(least));
    return unit * ten * [1, 2, 5, 10].find((times) => times * ten >= least * 0.999);
  }

  /** The order of names with numbers in them: churn#2 comes before churn#10. */
  const inOrder = (a, b) => String(a).localeCompare(String(b), "en", { numeric: true });

  /** Cut a long text in the middle, for axes; the whole text stands in tooltips and tables. */
  function short(text, most = 14) {
    const all = Array.from(String(text));
    if (all.length <= most) return String(text);
    const head = Math.ceil((most - 1) / 2);
    return `${all.slice(0, head).join("")}…${all.slice(all.length - (most - 1 - head)).join("")}`;
  }

  /**
   * The content of a tooltip: a heading, and rows of a name and a value. An element, never markup.
   */
  function tooltip(heading, rows) {
    const body = element("div", { class: "tip" }, element("strong", { text: heading }));
    for (const [name, value] of rows) {
      body.append(
        element(
          "div",
          { class: "tip-row" },
          element("span", { text: name }),
          element("span", { text: value }),
        ),
      );
    }
    return body;
  }

  prisam.element = element;
  prisam.text = {
    escape,
    number,
    share,
    seconds,
    bytes,
    wholeBytes,
    axisBytes,
    byteStep,
    inOrder,
    short,
    tooltip,
    known,
    MIB,
  };
})();
