// The smallest function there is: a component of a few hundred bytes of code.
#include "wasi_http.h"

HANDLE(request, outparam) {
  request_drop(request);
  answer(outparam, 200, TEXT("hello"));
}
