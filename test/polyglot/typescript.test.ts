import { testClient } from "./client-suite.ts";
import { typescript } from "./languages.ts";

await testClient(typescript);
