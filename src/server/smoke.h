#pragma once

#include <memory>

#include "base/result.h"
#include "invoke/dispatcher.h"
#include "registry/revision.h"

namespace funcd::server {

// Asks a revision that is not live yet for its [smoke] request, and waits for the answer, on a loop
// of this thread's. The request is one as any other, but that no counter and no log sees it. An
// error says what was answered instead of what was expected.
[[nodiscard]] Result<> run_smoke(const registry::Revision& revision,
                                 const invoke::DispatcherOptions& options);

}  // namespace funcd::server
