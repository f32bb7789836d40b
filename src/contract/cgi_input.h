#pragma once

#include "contract/contract.h"

namespace funcd::contract {

// Adds the variables of RFC 3875 4.1, HTTP_* for the request's fields, and the lower-case ones of
// servers that name them so (http_path, http_method, http_host, http_query, remote_addr). A name
// that the sidecar's [env] sets is left out: no request can change what the operator has said.
// Never HTTP_PROXY, which programs take for their own setting, nor a field whose name has more than
// letters, digits and '-', as x_a and x-a would be one variable.
void add_cgi_variables(engine::StringBlock& env, const Call& call);

}  // namespace funcd::contract
