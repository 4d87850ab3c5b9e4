// Looks at pages in Chromium: one JSON list of looks comes in, one JSON list of what was seen goes out.
//
// A look: {file, width, height, dark, paper, shot}. `paper` prints instead of showing; `shot` is where to keep a picture.
// Pages run nothing of their own. The rules of axe are put in by the driver, past the page's own policy.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");
const looks = JSON.parse(readFileSync(0, "utf-8"));
const browser = await chromium.launch({
  executablePath: process.argv[2],
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
});
try {
  const seen = [];
  for (const look of looks) seen.push(await lookAt(look));
  process.stdout.write(JSON.stringify(seen));
} finally {
  await browser.close();
}

async function lookAt({ file, width, height = 900, dark = false, paper = false, shot }) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
  });
  const page = await context.newPage();
  const asked = [];
  const complaints = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(pathToFileURL(file).href);
  if (paper) await page.emulateMedia({ media: "print" });
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const told = await page.evaluate(measure);
  if (shot) await page.screenshot({ path: shot, fullPage: true });
  const pages = paper ? (await page.pdf({ format: "A4", path: look_pdf(shot) })).toString("latin1").split("/Type /Page\n").length - 1 : 0;
  await context.close();
  return { ...told, pages, complaints, asked: asked.length, violations: violations.map(finding) };
}

function look_pdf(shot) {
  return shot ? shot.replace(/\.png$/, ".pdf") : undefined;
}

function finding({ id, impact, nodes }) {
  return { id, impact, where: nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`) };
}

// In the page: what sticks out of the window, which figures have no name, which words are too small to read.
function measure() {
  const root = document.documentElement;
  const figures = [...document.querySelectorAll("svg[role=img]")];
  return {
    wider: root.scrollWidth - root.clientWidth,
    background: getComputedStyle(root).backgroundColor,
    ink: getComputedStyle(document.body).color,
    figures: figures.map((one) => ({
      title: one.querySelector("title")?.textContent ?? "",
      words: one.querySelector("desc")?.textContent ?? "",
      smallest: Math.min(...[...one.querySelectorAll("text")].map((text) => text.getBoundingClientRect().height || 99)),
      cut: [...one.querySelectorAll("text")].filter((text) => sticksOut(text, one)).map((text) => text.textContent),
    })),
    text: document.body.innerText,
    scripts: document.querySelectorAll("script, iframe, object, embed, img, link").length,
  };
  function sticksOut(text, figure) {
    const inner = text.getBoundingClientRect();
    const outer = figure.getBoundingClientRect();
    return inner.left < outer.left - 1 || inner.right > outer.right + 1 || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
  }
}
