// The shims are all static inline in shims.h; SwiftPM wants one source file in a C target.
#include "shims.h"
