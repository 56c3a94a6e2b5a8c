// oneDNN's generated code may use the stack pointer as one more register (2.6: where its matrix product copies a
// panel). A signal handler that ran there would write its frame into the heap, so no signal is taken while a
// kernel computes, and none by the threads that OpenMP starts inside one; it waits until the kernel is done.
#pragma once
#ifndef _WIN32
#include <csignal>
#endif

namespace onecycle {

#ifdef _WIN32
struct SignalsBlocked {};
#else
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t signals;
    sigfillset(&signals);
    // what the code itself raises is not put off
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&signals, own);
    pthread_sigmask(SIG_BLOCK, &signals, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};
#endif

}  // namespace onecycle
