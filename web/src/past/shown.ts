/** The past that the page on the screen shows. */
import { router } from "../router.svelte";
import { pastOf, type Past } from "./instant";

/** Pages whose questions can be asked as of an earlier time; the others show now, whatever the address carries along. */
const PAGES = ["web", "trends", "active", "funnels", "paths", "retention"];

export const shownPast = (): Past | null => (PAGES.includes(router.route.page) ? pastOf(router.query) : null);
