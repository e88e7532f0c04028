"""Side threads block SIGABRT, so that the main thread takes it."""

import signal
import threading

from prisam_p2p.system.side_thread import SideThread


def test_a_side_thread_and_its_own_threads_leave_sigabrt_to_the_main_thread():
    blocked = []

    def look():
        blocked.append(signal.SIGABRT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    def look_and_start_another():
        look()
        another = threading.Thread(target=look)
        another.start()
        another.join(5.0)

    side = SideThread(look_and_start_another, "side")
    side.start()
    side.join(10.0)
    look()
    assert blocked == [True, True, False]
    assert side.daemon
