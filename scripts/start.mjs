// `npm start`: sets up, then records a stock driver in the lab and verifies the record.
import { run, setUp } from "./setup.mjs";

setUp();
run(process.execPath, ["bin/mmiostrider.js", "demo", ...process.argv.slice(2)]);
