/* A figure: its heading, controls, chart, notes, table and downloads. Drawn when scrolled near. */
"use strict";

(function () {
  const { element } = prisam;
  const NEAR_PX = 500; // drawn when so far below the window
  const PAUSE_MS = 1000; // between two drawings that changed data ask for

  class Figure {
    constructor(view, spec) {
      this.view = view;
      this.spec = spec;
      this.id = `${view.id}-${spec.id}`;
      this.controls = Object.fromEntries(
        (spec.controls || []).map((each) => [each.id, prisam.controls.first(each)]),
      );
      this.chart = null;
      this.built = null;
      this._made = []; // its controls
      this.near = false;
      this._dirty = true;
      this._drawnAt = -Infinity;
      this._timer = null;
      this.element = this._frame();
    }

    /** What `build` and `click` of a view get. */
    context() {
      const { store, selection, palette } = prisam;
      return {
        store,
        selection,
        controls: this.controls,
        palette,
        width: this._chartBox.clientWidth || 900,
      };
    }

    /** Draw soon: at once, or where data changed at most once a second; not while nobody looks. */
    changed(atOnce = false) {
      this._dirty = true;
      if (!this.near || document.hidden) return;
      const wait = atOnce ? 0 : Math.max(0, this._drawnAt + PAUSE_MS - performance.now());
      if (!wait) this.draw();
      else this._timer ??= setTimeout(() => this.changed(), wait);
    }

    /** Draw if anything changed since the last time. */
    draw() {
      clearTimeout(this._timer);
      this._timer = null;
      if (!this._dirty) return;
      this._dirty = false;
      this._drawnAt = performance.now();
      try {
        this.built = this.spec.build(this.context());
      } catch (error) {
        this.built = { option: null, empty: `This figure could not be drawn: ${error.message}` };
        console.error(`figure ${this.id}:`, error);
      }
      this._show();
    }

    /** The table behind the figure: {columns, rows}. A view may give a function, for long ones. */
    table() {
      const table = this.built?.table;
      return (typeof table === "function" ? table() : table) || { columns: [], rows: [] };
    }

    redrawAll() {
      this.chart?.dispose();
      this.chart = null;
      this._dirty = true;
    }

    _show() {
      const { option, height = 360, empty, notes = [], summary = "" } = this.built;
      const drawn = Boolean(option) && !empty;
      this._empty.textContent = empty || "";
      this._empty.hidden = !empty;
      this._chartBox.hidden = !drawn;
      this._notes.replaceChildren(...notes.map((text) => element("li", { text })));
      this._notes.hidden = !notes.length;
      for (const control of this._made) control.refresh(this.context());
      this._chartBox.setAttribute("aria-label", summary || this.spec.title);
      for (const button of this._pictureButtons) {
        button.disabled = !drawn;
        button.hidden = Boolean(this.built.tableOnly);
      }
      this._tableBox.classList.toggle("whole", Boolean(this.built.tableOnly));
      if (drawn) this._setOption(option, height);
      else this.redrawAll();
      this._dirty = false;
      if (this.built.tableOnly) this._openTable(true);
      else if (!this._tableBox.hidden) this._fillTable();
    }

    _setOption(option, height) {
      this._chartBox.style.height = `${height}px`;
      if (!this.chart) {
        this.chart = echarts.init(this._chartBox, prisam.theme.ofCharts(), { renderer: "canvas" });
        this.chart.on("click", (event) => this._clicked(event));
        this._listenToCanvas();
      } else if (
        this.chart.getHeight() !== height ||
        this.chart.getWidth() !== this._chartBox.clientWidth
      ) {
        this.chart.resize();
      }
      const kept = this._zoom(option);
      this.option = complete(kept, this.built);
      this.chart.setOption(this.option, { notMerge: true });
    }

    /** Keep how far the reader has zoomed in, while the axis is the same. */
    _zoom(option) {
      const controls = this.built.zoomed ?? JSON.stringify(this.controls);
      const before = this._zoomedFor === controls ? this.chart.getOption()?.dataZoom : null;
      this._zoomedFor = controls;
      if (!before || !option.dataZoom) return option;
      const now = [].concat(option.dataZoom);
      if (now.length !== before.length) return option;
      return { ...option, dataZoom: now.map((zoom, i) => ({ ...zoom, ...windowOf(before[i]) })) };
    }

    /** Views that draw many things as one path tell by the place what was clicked or hovered. */
    _listenToCanvas() {
      const canvas = this.chart.getZr();
      const place = (event) => ({
        x: event.offsetX,
        y: event.offsetY,
        at: (finder) => this.chart.convertFromPixel(finder, [event.offsetX, event.offsetY]),
      });
      canvas.on("click", (event) => {
        if (!event.target && this.spec.anywhere) this._clicked(place(event));
      });
      if (!this.spec.hover) return;
      canvas.on("mousemove", (event) => this._hovered(place(event)));
      canvas.on("globalout", () => this._hovered(null));
    }

    _clicked(event) {
      const change = this.spec.click?.(event, this.context());
      if (change) prisam.selection.toggle(change);
    }

    _hovered(place) {
      const content = place && this.spec.hover(place, this.context());
      this._hover.hidden = !content;
      if (!content) return;
      this._hover.replaceChildren(content);
      const right = place.x > this._chartBox.clientWidth / 2;
      this._hover.style.left = right ? "" : `${this._chartBox.offsetLeft + place.x + 14}px`;
      this._hover.style.right = right
        ? `${this.element.clientWidth - this._chartBox.offsetLeft - place.x + 14}px`
        : "";
      this._hover.style.top = `${this._chartBox.offsetTop + place.y + 14}px`;
    }

    _frame() {
      const title = element("h3", { id: `title-${this.id}`, text: this.spec.title });
      // The view's own heading says what its only figure is.
      if (this.view.figures.length === 1) title.className = "unseen";
      this._chartBox = element("div", {
        class: "chart",
        role: "img",
        "aria-label": this.spec.title,
      });
      this._empty = element("p", { class: "empty", hidden: true });
      this._notes = element("ul", { class: "notes", hidden: true });
      this._tableBox = element("div", { class: "table", id: `table-${this.id}`, hidden: true });
      this._hover = element("div", { class: "hover", "aria-hidden": "true", hidden: true });
      const tools = element(
        "div",
        { class: "tools" },
        ...(this.spec.controls || [])
          .filter((each) => !each.when || each.when(prisam.store))
          .map((each) => this._control(each)),
        this._buttons(),
      );
      const made = element(
        "figure",
        { id: `figure-${this.id}`, "aria-labelledby": `title-${this.id}` },
        element("figcaption", {}, title, tools),
        this._chartBox,
        this._empty,
        this._notes,
        this._tableBox,
        this._hover,
      );
      new ResizeObserver(() => this._resized()).observe(this._chartBox);
      new IntersectionObserver((seen) => this._scrolled(seen[seen.length - 1].isIntersecting), {
        rootMargin: `${NEAR_PX}px 0px`,
      }).observe(made);
      return made;
    }

    _scrolled(near) {
      this.near = near;
      if (near && !document.hidden) this.draw();
    }

    _resized() {
      if (
        !this.chart ||
        this._chartBox.hidden ||
        this.chart.getWidth() === this._chartBox.clientWidth
      )
        return;
      this.changed(true);
    }

    _control(spec) {
      const made = prisam.controls.make(
        spec,
        `control-${this.id}-${spec.id}`,
        this.controls[spec.id],
        (value) => {
          this.controls[spec.id] = value;
          if (spec.changed) spec.changed(value, this.context());
          this.changed(true);
        },
      );
      this._made.push(made);
      return made.element;
    }

    _buttons() {
      const button = (label, hint, act) => {
        const made = element("button", {
          type: "button",
          text: label,
          "aria-label": `${hint}: ${this.spec.title}`,
        });
        made.addEventListener("click", act);
        return made;
      };
      const name = (ending) => prisam.download.fileName([prisam.store.run.name, this.id], ending);
      const size = () => [this.chart.getWidth(), this.chart.getHeight()];
      this._tableButton = button("Table", "Table", () => this._openTable(this._tableBox.hidden));
      this._tableButton.setAttribute("aria-expanded", "false");
      this._tableButton.setAttribute("aria-controls", `table-${this.id}`);
      this._pictureButtons = [
        button("SVG", "Save as SVG", () =>
          prisam.download.svg(name("svg"), this.option, ...size()),
        ),
        button("PNG", "Save as PNG", () =>
          prisam.download.png(name("png"), this.option, ...size()),
        ),
      ];
      const csv = button("CSV", "Save as CSV", () =>
        prisam.download.csv(name("csv"), this.table()),
      );
      return element("span", { class: "buttons" }, this._tableButton, csv, ...this._pictureButtons);
    }

    _openTable(open) {
      this._tableBox.hidden = !open;
      this._tableButton.setAttribute("aria-expanded", String(open));
      if (open) this._fillTable();
    }

    _fillTable() {
      this._tableBox.replaceChildren(prisam.table.element(this.table(), this.spec.title));
    }
  }

  /**
   * What a zoom shows: all of an axis that may grow, or a part that stays where it is while the
   * axis grows.
   */
  function windowOf({ start, end, startValue, endValue }) {
    const whole = start <= 0 && end >= 100;
    return whole
      ? { start: 0, end: 100, startValue: undefined, endValue: undefined }
      : { start: undefined, end: undefined, startValue, endValue };
  }

  /** What every figure has: no animation, our tooltip, a text for screen readers. */
  function complete(option, built) {
    return {
      animation: false,
      ...option,
      tooltip: option.tooltip === null ? undefined : tooltip(option.tooltip || {}),
      aria: {
        enabled: true,
        decal: { show: Boolean(built.decal) },
        label: { description: built.summary || "" },
      },
    };
  }

  /** A tooltip whose content is an element: text of a journal is never read as markup. */
  function tooltip(given) {
    const asElement = (content) =>
      content instanceof Node ? content : element("div", { class: "tip", text: content });
    const plain = (params) => {
      const all = [].concat(params);
      const heading = all[0].axisValueLabel ?? all[0].name ?? "";
      return prisam.text.tooltip(
        heading,
        all.map((each) => [each.seriesName ?? "", prisam.table.cell(each.value)]),
      );
    };
    const formatter = typeof given.formatter === "function" ? given.formatter : plain;
    return {
      trigger: "item",
      confine: true,
      renderMode: "html",
      transitionDuration: 0,
      padding: 0,
      borderWidth: 0,
      className: "tip-box",
      backgroundColor: "transparent",
      ...given,
      formatter: (params, ...rest) => {
        const content = formatter(params, ...rest);
        return content === null || content === undefined || content === ""
          ? ""
          : asElement(content);
      },
    };
  }

  prisam.Figure = Figure;
})();
