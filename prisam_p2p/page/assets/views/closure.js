/* View 8, closure: from the payload to the wire, step by step, beside what the kernel counted. */
"use strict";

(function () {
  const ROW = 34; // pixels
  const RANGES = { added: "what is added", whole: "from zero" };

  function build(c) {
    const steps = stacked(c.store.table("closure").rows());
    const words = wordsOf(c.store.facts);
    if (steps.length && steps.every((step) => !step.n_bytes))
      return { option: null, empty: "This run sent no bytes." };
    if (!steps.length)
      return {
        option: null,
        empty: words.length
          ? words.join(" ")
          : "The bytes are accounted for when the run has ended.",
      };
    return {
      option: optionOf(c, steps),
      height: 110 + ROW * steps.length,
      notes: [...words, ...cutWords(c, steps)],
      table: tableOf(steps),
      summary: `${summaryOf(steps)} ${words.join(" ")}`,
    };
  }

  /**
   * Return the steps, each with where its bar begins and ends, in bytes from zero.
   *
   * A part begins where the one before it ended; a sum ("stream", "wire") begins at zero.
   */
  function stacked(rows) {
    let end = 0;
    return rows.map((row) => {
      const sum = row.kind_of_step === "sum";
      const begin = sum ? 0 : end;
      end = begin + row.n_bytes;
      return { ...row, sum, begin, end };
    });
  }

  /** Return the closure in words: the lines of `prisam bytes`; none before the run has ended. */
  function wordsOf(facts) {
    return facts.closure_words || [];
  }

  /** Return where the axis begins, its last value, and its step, in bytes. */
  function axisOf(c, steps) {
    const first = steps[0].end;
    const last = steps[steps.length - 1].end;
    const added = c.controls.range === "added";
    const step = prisam.text.byteStep(added ? 1.04 * (last - first) : last);
    const low = added ? Math.max(0, Math.floor(first / step - 0.02) * step) : 0;
    return { low, high: Math.ceil(last / step) * step, step };
  }

  /** Say that bars are longer than they look, where the axis does not begin at zero. */
  function cutWords(c, steps) {
    const { low } = axisOf(c, steps);
    return low
      ? [
          `The axis begins at ${prisam.text.axisBytes(low)}: bars that touch its left end are ` +
            'longer than drawn. "Axis shows: from zero" draws all of them.',
        ]
      : [];
  }

  function optionOf(c, steps) {
    const { low, high, step } = axisOf(c, steps);
    const inView = (x) => Math.max(low, x);
    return {
      grid: { left: 190, right: 130, top: 40, bottom: 44 },
      legend: { top: 0, data: ["this program's account", "the kernel's figure"] },
      xAxis: {
        type: "value",
        min: low,
        max: high,
        interval: step,
        ...prisam.charts.axisName("bytes"),
        axisLabel: { formatter: (n) => prisam.text.axisBytes(n), hideOverlap: true },
      },
      yAxis: { type: "category", inverse: true, data: steps.map((step) => step.label) },
      tooltip: { formatter: (item) => tip(steps[item.dataIndex]) },
      series: [
        {
          type: "custom",
          name: "this program's account",
          clip: false,
          itemStyle: { color: c.palette.accent },
          encode: { x: [1, 2], y: 0 },
          data: steps.map((step, i) => [i, inView(step.begin), step.end]),
          renderItem: (_, api) => bar(c, steps[api.value(0)], api),
        },
        {
          type: "scatter",
          name: "the kernel's figure",
          symbol: "diamond",
          symbolSize: 13,
          z: 5,
          itemStyle: { color: c.palette.surface, borderColor: c.palette.text, borderWidth: 2 },
          data: steps.map((step, i) =>
            step.kernel_bytes == null ? null : [step.begin + step.kernel_bytes, i],
          ),
        },
      ],
    };
  }

  function bar(c, step, api) {
    const [x, y] = api.coord([api.value(1), api.value(0)]);
    const [end] = api.coord([api.value(2), api.value(0)]);
    const height = 0.6 * api.size([0, 1])[1];
    const width = step.n_bytes ? Math.max(2, end - x) : 0;
    const text = (step.sum ? "= " : "+ ") + prisam.text.wholeBytes(step.n_bytes);
    return {
      type: "group",
      children: [
        {
          type: "rect",
          name: "bar",
          shape: { x, y: y - height / 2, width, height },
          style: {
            fill: c.palette.accent,
            opacity: step.sum ? 1 : 0.6,
            stroke: c.palette.text,
            lineWidth: step.sum ? 1.5 : 0,
          },
        },
        {
          type: "text",
          style: {
            x: x + width + 12,
            y,
            text,
            fill: c.palette.text,
            verticalAlign: "middle",
            font: api.font({ fontSize: 12 }),
          },
        },
      ],
    };
  }

  function tip(step) {
    return prisam.text.tooltip(step.label, [
      [step.sum ? "sum of the steps above" : "adds", prisam.text.wholeBytes(step.n_bytes)],
      ["the kernel counted", kernelWords(step)],
    ]);
  }

  /** Return the kernel's figure beside ours: equal, or by how much it differs. */
  function kernelWords(step) {
    if (step.kernel_bytes == null) return "nothing to compare with";
    const more = step.kernel_bytes - step.n_bytes;
    const counted = prisam.text.wholeBytes(step.kernel_bytes);
    if (more === 0) return `${counted}, the same`;
    return `${counted}, ${prisam.text.wholeBytes(Math.abs(more))} ${more > 0 ? "more" : "fewer"}`;
  }

  function tableOf(steps) {
    return {
      columns: ["step", "bytes", "so far", "the kernel's figure", "beside it"],
      rows: steps.map((step) => [
        step.label,
        step.n_bytes,
        step.end,
        step.kernel_bytes,
        kernelWords(step),
      ]),
    };
  }

  function summaryOf(steps) {
    const first = steps[0];
    const last = steps[steps.length - 1];
    return (
      `${prisam.text.bytes(first.end)} of ${first.label} became ${prisam.text.bytes(last.end)} ` +
      "on the wire."
    );
  }

  prisam.view({
    id: "closure",
    title: "Closure: from payload to wire",
    short: "Closure",
    order: 8,
    tables: ["closure"],
    how:
      "Read from top to bottom. Each bar is what a layer adds to the bytes above it, down to the " +
      "wire; a bar with a border is a sum. A diamond is what the operating system's kernel " +
      "counted by itself: on the bar's end, both agree. The line below the figure says how many " +
      "bytes remain unexplained; one such byte fails a run.",
    figures: [
      {
        id: "closure",
        title: "What each layer adds",
        follows: [],
        build,
        controls: [{ id: "range", label: "Axis shows", options: Object.entries(RANGES) }],
      },
    ],
  });
})();
