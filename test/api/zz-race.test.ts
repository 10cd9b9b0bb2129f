import { it, expect } from "vitest";
import { serveFake, page,versionResponse } from "../support/fake-registry.ts";
import { openRawCall } from "../support/raw-call.ts";
it(`late half close`, async () => {
  let started = 0, ended = 0, yields=0, un=0;
  await using fake = await serveFake({ getVersion: async () => { un++; return versionResponse("1") }, listVersions: async function* () { started++; try { for (;;) { yields++; if (yields>100000) return; yield page("x"); } } finally { ended++; } } });
  for (const m of ["ListVersions","GetVersion"]) {
    const raw = openRawCall(fake.address, "/stele.v1.ModelRegistryService/"+m, { message: new Uint8Array(0), headers: {"grpc-timeout":"50m"} });
    console.log((await raw.trailers)["grpc-status"], started);
    await new Promise(r => setTimeout(r, 50));
    raw.stream.end();
    await new Promise(r => setTimeout(r, 100));
    await raw[Symbol.asyncDispose]();
  }
  await new Promise(r => setTimeout(r, 300));
  console.log({ started, ended, yields, un });
  fake.calls.drain();
  console.log(await Promise.race([fake.calls.whenIdle().then(()=>"idle"), new Promise(r => setTimeout(r, 500))]));
});
