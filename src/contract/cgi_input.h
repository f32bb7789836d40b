#pragma once

#include "contract/contract.h"

namespace funcd::contract {

// Adds the variables of RFC 3875 4.1, HTTP_* for the request's fields, Wagi's (X_MATCHED_ROUTE,
// X_FULL_URL, X_RAW_PATH_INFO) and the lower-case ones of servers that name them so (http_path,
// http_method, http_host, http_query, remote_addr). AUTH_TYPE and REMOTE_USER are not there, as
// this server authenticates nobody; who does so itself finds HTTP_AUTHORIZATION. A name
// that the sidecar's [env] sets is left out: no request can change what the operator has said.
// Never HTTP_PROXY, which programs take for their own setting, nor a field whose name has more than
// letters, digits and '-', as x_a and x-a would be one variable.
void add_cgi_variables(engine::StringBlock& env, const Call& call);

// Adds the arguments that a query makes: the words between '+', decoded, of a GET or HEAD whose
// query has no '=' (RFC 3875 4.4); else, as Wagi has it, the pairs between '&' as they were sent.
void add_cgi_arguments(engine::StringBlock& args, const Call& call);

}  // namespace funcd::contract
