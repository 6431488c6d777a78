export default async function globalTeardown() {
  await globalThis.rescanTestServers?.stop();
}
