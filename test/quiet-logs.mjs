import { Logger } from '@nestjs/common';

// Only what someone must act on; a test that wants more looks at the process's own output.
Logger.overrideLogger(['error', 'fatal']);
