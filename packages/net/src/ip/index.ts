/** Hosts and servers of the Internet protocols. */
export { formatIp, formatMac, parseIp, parseMac } from "./address.ts";
export type { Lease } from "./dhcp-leases.ts";
export {
  type BootRule,
  type DhcpDrop,
  DhcpServer,
  type DhcpServerOptions,
  type DhcpServerState,
  dhcpServerState,
} from "./dhcp-server.ts";
export {
  type Datagram,
  Host,
  type HostDrop,
  type HostOptions,
  type HostState,
  hostState,
  type Outgoing,
} from "./host.ts";
export type { PingResult } from "./pings.ts";
export {
  type TftpDrop,
  type TftpEvent,
  type TftpFiles,
  TftpServer,
  type TftpServerOptions,
  type TftpServerState,
  tftpServerState,
} from "./tftp-server.ts";
export type { TftpFile } from "./tftp-session.ts";
