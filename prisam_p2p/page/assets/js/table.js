/* The table behind a figure. */
"use strict";

(function () {
  const MOST_ROWS = 500;
  const isNumber = (value) => typeof value === "number";

  function cell(value) {
    if (value === null || value === undefined) return "";
    if (isNumber(value))
      return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
    return Array.isArray(value) ? value.join(" ") : String(value);
  }

  /** Return the table as an element; of a long one the first rows, and a line that says so. */
  function tableElement(table, caption) {
    const { element } = prisam;
    const shown = table.rows.slice(0, MOST_ROWS);
    const head = element(
      "tr",
      {},
      ...table.columns.map((name) => element("th", { scope: "col", text: name })),
    );
    const body = shown.map((row) =>
      element(
        "tr",
        {},
        ...row.map((value) =>
          element("td", { class: isNumber(value) ? "number" : "", text: cell(value) }),
        ),
      ),
    );
    const made = element(
      "table",
      {},
      element("caption", { text: caption }),
      element("thead", {}, head),
      element("tbody", {}, ...body),
    );
    const scrolled = element(
      "div",
      { class: "scrolled", tabindex: "0", role: "region", "aria-label": `Table: ${caption}` },
      made,
    );
    if (shown.length === table.rows.length) return scrolled;
    const all = prisam.text.number(table.rows.length);
    const rest = `The first ${MOST_ROWS} of ${all} rows; the CSV has all.`;
    return element("div", {}, scrolled, element("p", { class: "note", text: rest }));
  }

  /**
   * Return the table as CSV (RFC 4180). A text that a spreadsheet would take for a formula is
   * quoted by '.
   */
  function csv(table) {
    const field = (value) => {
      if (value === null || value === undefined) return "";
      if (isNumber(value)) return String(value);
      let text = Array.isArray(value) ? value.join(" ") : String(value);
      if (/^[=+\-@\t\r]/.test(text)) text = `'${text}`;
      return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
    };
    return [table.columns, ...table.rows].map((row) => `${row.map(field).join(",")}\r\n`).join("");
  }

  prisam.table = { element: tableElement, csv, cell };
})();
