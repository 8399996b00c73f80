/** The worker of a page: machines, behind comlink. */
import { serveMachines } from "castaway/worker";
import { browserHost } from "./host.ts";

serveMachines(browserHost);
