// A time series drawn with uPlot, in UTC. The container is one image to a screen reader; the figures are in the table
// beside it.
import uPlot from "uplot";
import { colours, fetchJson, guard, onLive, onTheme } from "./events";

interface Series {
  x: number[]; // unix seconds, ascending
  series: { label: string; values: (number | null)[] }[];
}

const HEIGHT_PX = 180;
const SPARK_HEIGHT_PX = 44;
const FILL_ALPHA = 0.14;

const alpha = (rgb: string, a: number): string => rgb.replace(/^rgb\((.*)\)$/, `rgba($1, ${a})`);

export function chart(element: HTMLElement): () => void {
  const src = element.dataset["src"] ?? "";
  const spark = element.dataset["kind"] === "spark";
  const height = Number(element.dataset["height"]) || (spark ? SPARK_HEIGHT_PX : HEIGHT_PX);
  const clock = new Intl.DateTimeFormat(document.documentElement.lang || "en", {
    hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: "UTC",
  });
  const day = new Intl.DateTimeFormat(document.documentElement.lang || "en", { day: "numeric", month: "short", timeZone: "UTC" });
  let data: Series | undefined;
  let plot: uPlot | undefined;

  const draw = (): void => {
    plot?.destroy();
    plot = undefined;
    if (data === undefined) return;
    const c = colours(element, { ink: "--ink-3", grid: "--line", s0: "--series-1", s1: "--series-2", s2: "--series-3", s3: "--series-4" });
    const palette = [c.s0, c.s1, c.s2, c.s3];
    const axis: uPlot.Axis = { stroke: c.ink, grid: { stroke: c.grid, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const label = (ts: number, step: number): string => (step >= 86_400 ? day : clock).format(ts * 1_000);
    plot = new uPlot(
      {
        width: Math.max(element.clientWidth, 80),
        height,
        ...(spark ? { padding: [4, 0, 4, 0] as uPlot.Padding } : {}),
        cursor: { show: !spark, y: false },
        legend: { show: !spark },
        scales: { x: { time: true }, y: { range: (_u, _min, max) => [0, Math.max(max * 1.1, 1)] } },
        tzDate: (ts) => uPlot.tzDate(new Date(ts * 1_000), "Etc/UTC"),
        axes: spark
          ? [{ show: false }, { show: false }]
          : [
              { ...axis, size: 30, values: (_u, splits, _a, _s, step) => splits.map((t) => label(t, step)) },
              { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5, 1e6] },
            ],
        series: [
          { value: (_u, v) => (v == null ? "" : `${day.format(v * 1_000)} ${clock.format(v * 1_000)} UTC`) },
          ...data.series.map((s, i): uPlot.Series => {
            const stroke = palette[i % palette.length] ?? c.s0;
            return { label: s.label, stroke, width: spark ? 1.5 : 2, points: { show: false }, ...(i === 0 ? { fill: alpha(stroke, FILL_ALPHA) } : {}) };
          }),
        ],
      },
      [data.x, ...data.series.map((s) => s.values)],
      element,
    );
  };

  const load = async (): Promise<void> => {
    data = await fetchJson<Series>(src);
    draw();
  };
  const resize = new ResizeObserver(() => plot?.setSize({ width: Math.max(element.clientWidth, 80), height }));
  resize.observe(element);
  const stopLive = onLive(["sighting", "warning"], () => guard(element, load()));
  const stopTheme = onTheme(draw);
  guard(element, load());
  return () => {
    resize.disconnect();
    stopLive();
    stopTheme();
    plot?.destroy();
  };
}
