#pragma once

#include "contract/contract.h"
#include "engine/guest.h"

namespace funcd::contract {

// The meta-variables of RFC 3875 4.1, and the http_* variables of the wazero article's programs.
// Never HTTP_PROXY, which programs take for their own configuration.
void add_cgi_variables(engine::StringBlock& env, const Call& call);

}  // namespace funcd::contract
