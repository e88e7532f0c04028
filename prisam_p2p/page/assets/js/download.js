/* Files that the page makes: nothing is asked of a server. */
"use strict";

(function () {
  /** A file's name of a run's and a figure's names: letters, digits, dots and dashes only. */
  function fileName(parts, ending) {
    const safe = (part) =>
      String(part)
        .replace(/[^A-Za-z0-9._-]+/g, "_")
        .slice(0, 60);
    return `${parts.map(safe).join("-")}.${ending}`;
  }

  function save(name, blob) {
    const link = prisam.element("a", { download: name, href: URL.createObjectURL(blob) });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  /** Draw an option once more, without the screen: SVG text or a canvas. */
  function drawnApart(option, width, height, renderer) {
    const host = renderer === "svg" ? null : document.createElement("canvas");
    if (host) Object.assign(host, { width, height });
    const chart = echarts.init(host, null, {
      renderer,
      ssr: renderer === "svg",
      width,
      height,
      devicePixelRatio: 2,
    });
    chart.setOption({ ...option, animation: false, backgroundColor: prisam.palette.surface });
    return chart;
  }

  prisam.download = {
    fileName,
    csv: (name, table) =>
      save(name, new Blob(["\ufeff", prisam.table.csv(table)], { type: "text/csv" })),
    svg(name, option, width, height) {
      const chart = drawnApart(option, width, height, "svg");
      save(name, new Blob([chart.renderToSVGString()], { type: "image/svg+xml" }));
      chart.dispose();
    },
    png(name, option, width, height) {
      const chart = drawnApart(option, width, height, "canvas");
      chart.getZr().flush();
      chart.renderToCanvas({ pixelRatio: 2 }).toBlob((blob) => {
        save(name, blob);
        chart.dispose();
      }, "image/png");
    },
  };
})();
