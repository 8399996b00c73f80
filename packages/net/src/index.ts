/** The simulated network: an Ethernet in virtual time, and the hosts and servers on it. */
export {
  type AoeRequest,
  AoeServer,
  type AoeServerOptions,
  type AoeServerState,
  aoeServerState,
} from "./aoe/server.ts";
export type { AoeStatistics } from "./aoe/statistics.ts";
export type { AoeTargetOptions } from "./aoe/target.ts";
export { type FarCard, type FrameSeen, Link, type LinkEnd, type LinkState, linkState } from "./ethernet/link.ts";
export type { LinkOptions, WireOptions } from "./ethernet/link-options.ts";
export type { Party } from "./ethernet/lockstep.ts";
export {
  Network,
  type NetworkOptions,
  type NetworkState,
  type NetworkStop,
  networkState,
  type Place,
} from "./ethernet/network.ts";
export * from "./ethernet/pcapng.ts";
export { Socket } from "./ethernet/socket.ts";
export {
  Switch,
  type SwitchOptions,
  type SwitchPortStatistics,
  type SwitchState,
  switchState,
} from "./ethernet/switch.ts";
export type { WireDrop, WireStatistics } from "./ethernet/wire.ts";
export * from "./ip/index.ts";
export { noCost, type ServiceCost } from "./service/service.ts";
