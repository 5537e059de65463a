// The dashboard of a demo in a real browser, with its owner signed in.
import { chromium } from "playwright-core";
import { eventually, signIn, startProduct } from "./product.mjs";

/** Debian's Chromium, which asks nobody on the network for anything. */
export const launchBrowser = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });

/** Fills the form of `/login` and sends it. */
export async function logIn(page, product) {
  await page.getByTestId("login-email").fill(product.email);
  await page.getByTestId("login-password").fill(product.password);
  await page.getByTestId("login-submit").click();
  await page.getByTestId("card-dau").waitFor();
}

/**
 * Starts a demo and signs in, once everything that was acknowledged is in the tables. `faults` gathers what the page
 * complains of from then on, but for what `tolerated` matches. Everything ends with `close`.
 */
export async function openDashboard(demo, { context = {}, tolerated } = {}) {
  const product = await startProduct(demo);
  let browser;
  const close = async () => {
    await browser?.close();
    await product.stop();
  };
  try {
    browser = await launchBrowser();
    const api = await signIn(product);
    await eventually("everything that was acknowledged in the tables", async () => {
      const { meta } = await api.ask(`/v1/projects/${api.project.id}/trends?event=page_view`);
      return !meta.warnings.some((warning) => warning.code === "events_pending");
    });
    const page = await (await browser.newContext(context)).newPage();
    await page.goto(product.url);
    await logIn(page, product);
    const faults = [];
    const note = (text) => tolerated?.test(text) || faults.push(text);
    page.on("pageerror", (error) => note(String(error)));
    page.on("console", (message) => message.type() === "error" && note(message.text()));
    return { product, browser, api, page, faults, close };
  } catch (error) {
    await close();
    throw error;
  }
}
