import { testClient } from "./client-suite.ts";
import { python } from "./languages.ts";

await testClient(python);
