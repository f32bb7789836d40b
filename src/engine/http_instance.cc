#include "engine/http_instance.h"

namespace funcd::engine {

HttpInstance::~HttpInstance() {
  if (idle_ != nullptr) fb_http_instance_delete(idle_);
}

}  // namespace funcd::engine
