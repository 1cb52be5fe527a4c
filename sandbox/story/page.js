"use strict";
const read = (name) => JSON.parse(document.getElementById(name).textContent);
const shown = (item) => item.data.shown || "";
// Drawn on the canvas as text: no tooltip is ever read as HTML.
const tooltip = { renderMode: "richText", formatter: shown };
const drawn = [];

function draw(name, option) {
  const chart = echarts.init(document.getElementById(name));
  chart.setOption(option);
  drawn.push(chart);
}

const flow = read("flow");
draw("sankey", {
  tooltip,
  series: [{
    type: "sankey",
    data: flow.nodes,
    links: flow.links,
    left: 150, right: 150, nodeGap: 34, draggable: false,
    emphasis: { focus: "adjacency" },
    lineStyle: { color: "gradient", opacity: 0.45 },
    label: { formatter: shown, lineHeight: 16 },
    levels: [{ depth: 0, label: { position: "left" } }, { depth: 1, label: { position: "right" } }],
  }],
});

const family = read("family");
const families = [...new Set(family.nodes.map((node) => node.family))];
draw("relatives", {
  tooltip,
  legend: { data: families, bottom: 0 },
  series: [{
    type: "graph",
    layout: "circular",
    categories: families.map((name) => ({ name })),
    data: family.nodes.map((node) => ({ ...node, category: families.indexOf(node.family) })),
    links: family.links,
    symbolSize: 22, edgeSymbol: ["none", "arrow"], edgeSymbolSize: 9,
    top: 70, bottom: 90,
    label: { show: true, position: "right", formatter: shown, lineHeight: 15 },
    edgeLabel: { show: true, formatter: shown, fontSize: 10 },
    lineStyle: { curveness: 0.15, width: 1.6, color: "source" },
    emphasis: { focus: "adjacency" },
  }],
});
window.addEventListener("resize", () => drawn.forEach((chart) => chart.resize()));
