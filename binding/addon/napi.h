// The only place that includes <napi.h>, so that its choices are made once.
#pragma once

// Electron forbids buffers over foreign memory: everything is copied.
#define NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED
// An exception that can't be thrown because its environment is ending is dropped, not fatal.
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
// A C++ exception that leaves a function called by JavaScript becomes an Error there.
#define NODE_ADDON_API_CPP_EXCEPTIONS_ALL
#ifndef NAPI_VERSION
#define NAPI_VERSION 8
#endif

#include <napi.h>
