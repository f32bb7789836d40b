#pragma once

#include <curl/curl.h>

#include "base/result.h"

namespace funcd::source {

// Those functions of libcurl that are used. It is loaded when it is first needed, for it brings
// some thirty libraries along (of TLS, Kerberos, LDAP), and who serves a folder needs none of them.
struct CurlLibrary {
  // The same one always, ready to be used; an error says what is missing.
  [[nodiscard]] static Result<const CurlLibrary*> get();

  decltype(&curl_easy_init) easy_init;
  decltype(&curl_easy_cleanup) easy_cleanup;
  decltype(&curl_easy_reset) easy_reset;
  decltype(&curl_easy_setopt) easy_setopt;
  decltype(&curl_easy_perform) easy_perform;
  decltype(&curl_easy_strerror) easy_strerror;
  decltype(&curl_slist_append) slist_append;
  decltype(&curl_slist_free_all) slist_free_all;
};

}  // namespace funcd::source
