#pragma once

/// What a shared library shows of hepml (HEPML_API), and what of that it does not (HEPML_LOCAL).
#if defined(__GNUC__)
#define HEPML_API __attribute__((visibility("default")))
#define HEPML_LOCAL __attribute__((visibility("hidden")))
#else
#define HEPML_API
#define HEPML_LOCAL
#endif
