#include "source/curl_library.h"

#include <dlfcn.h>

namespace funcd::source {
namespace {

// Of its ABI, which is that of the headers.
constexpr const char* kFile = "libcurl.so.4";

template <class Function>
bool find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  return function != nullptr;
}

Result<CurlLibrary> load() {
  // Never unloaded: curl and TLS keep what ends with the process.
  void* const library = dlopen(kFile, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    return fail("{}; install libcurl (apt-get install libcurl4)", dlerror());
  }
  CurlLibrary curl{};
  decltype(&curl_global_init) global_init = nullptr;
  const bool has_all = find(library, "curl_global_init", global_init) &&
                       find(library, "curl_easy_init", curl.easy_init) &&
                       find(library, "curl_easy_cleanup", curl.easy_cleanup) &&
                       find(library, "curl_easy_reset", curl.easy_reset) &&
                       find(library, "curl_easy_setopt", curl.easy_setopt) &&
                       find(library, "curl_easy_perform", curl.easy_perform) &&
                       find(library, "curl_easy_strerror", curl.easy_strerror) &&
                       find(library, "curl_slist_append", curl.slist_append) &&
                       find(library, "curl_slist_free_all", curl.slist_free_all);
  if (!has_all) return fail("{}", dlerror());
  if (const CURLcode started = global_init(CURL_GLOBAL_DEFAULT); started != CURLE_OK) {
    return fail("{}: {}", kFile, curl.easy_strerror(started));
  }
  return curl;
}

}  // namespace

Result<const CurlLibrary*> CurlLibrary::get() {
  static const Result<CurlLibrary> library = load();
  if (!library) return tl::unexpected(library.error());
  return &*library;
}

}  // namespace funcd::source
