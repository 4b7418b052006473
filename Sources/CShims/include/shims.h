#ifndef PENSTOCK_SHIMS_H
#define PENSTOCK_SHIMS_H
#include "zlib_shims.h"
#endif
