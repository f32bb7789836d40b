#pragma once

#include <stop_token>

#include "base/result.h"
#include "registry/revision.h"
#include "storage/kv_store.h"

namespace funcd::server {

// Asks a revision that is not live yet for its [smoke] request, and waits for the answer, on a loop
// of this thread's; longer than the function's own limit only by a moment. The request is one as
// any other, but that no counter and no log sees it. An error says what was answered instead of
// what was expected. Functions have the stores in `kv`; where it is null, an empty one that is
// forgotten.
[[nodiscard]] Result<> run_smoke(const registry::Revision& revision, storage::KvStore* kv,
                                 const std::stop_token& stop);

}  // namespace funcd::server
