# SPDX-License-Identifier: Apache-2.0
"""Times contestants side by side. On a device by events around replays of CUDA graphs, on the CPU of a rehearsal by the
clock on the wall; in turns, so that a clock that changes changes it for all."""

import statistics
import time

import torch

MOST_ROUNDS, LEAST_ROUNDS = 60, 3
# That the device waits before a timing, so that the next launches are there when it goes on.
AHEAD_CYCLES, AHEAD_OF_A_CALL = 200_000, 500_000
WAKE_CYCLES = 200_000_000  # a tenth of a second, in which its clocks come up


class Contestant:
    """`launches`: one call for each set of inputs, giving its outputs (a tensor or several). `before`: brings back what
    launches change, outside of what is timed. `graph`: False for what is known not to be captured."""

    def __init__(self, name, launches, same=None, note="", check=None, before=None, graph=True):
        self.name, self.launches, self.same, self.note = name, launches, same, note
        self.check, self.before, self.graph = check, before, graph
        self.outputs, self.times, self.how = [], [], ""

    def tensors(self, i):
        """The outputs of launch i."""
        output = self.outputs[i]
        return list(output) if isinstance(output, (tuple, list)) else [output]

    def spent(self):
        """Seconds in what was timed."""
        return 1e-3 * sum(self.times) * len(self.launches)

    def run(self):
        self.outputs = [launch() for launch in self.launches]

    def poison(self):
        """So that what is not written is seen."""
        for i in range(len(self.outputs)):
            for tensor in self.tensors(i):
                if tensor is not None:
                    tensor.detach().fill_(float("nan") if tensor.is_floating_point() else 0)


class WallClock:
    """The CPU's, for rehearsals."""
    how = "wall clock"
    broken = False

    def prepare(self, contestant):
        contestant.run()
        contestant.how = self.how

    def once(self, contestant):
        if contestant.before:
            contestant.before()
        begin = time.perf_counter()
        contestant.run()
        return 1e3 * (time.perf_counter() - begin)

    def wake(self):
        pass

    def settle(self):
        pass


class DeviceClock:
    """One graph holds a pass over all sets; where capture fails, the same calls without a graph, which is noted. The
    allocator may not be what it was behind such a failure: `broken` says that this process should end with its cell."""

    def __init__(self):
        self.broken = False
        self.graphs = {}
        self.events = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)

    def prepare(self, contestant):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                if contestant.before:
                    contestant.before()
                contestant.run()
        torch.cuda.synchronize()
        contestant.outputs = []
        torch.cuda.empty_cache()
        if contestant.graph:
            self.capture(contestant)
        else:
            contestant.how = "events, no graph"
        # A replay uploads the graph the first time.
        self.once(contestant)

    def capture(self, contestant):
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                contestant.run()
            self.graphs[contestant], contestant.how = graph, "graph replay"
        except RuntimeError as problem:
            self.broken = True
            contestant.how = "events, no graph: " + str(problem).splitlines()[0][:120]

    def once(self, contestant):
        begin, end = self.events
        if contestant.before:
            contestant.before()
        graph = self.graphs.get(contestant)
        torch.cuda._sleep(AHEAD_CYCLES if graph is not None else AHEAD_OF_A_CALL * len(contestant.launches))
        begin.record()
        if graph is not None:
            graph.replay()
        else:
            contestant.run()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end)

    def wake(self):
        torch.cuda._sleep(WAKE_CYCLES)
        torch.cuda.synchronize()

    def settle(self):
        torch.cuda.synchronize()


def contest(clock, contestants, seconds):
    """Times all that can be prepared; who cannot gets a note and no times. Outputs are poisoned before, and what the
    last round wrote is left for the check."""
    ready = []
    for contestant in contestants:
        try:
            clock.prepare(contestant)
            contestant.poison()
            ready.append(contestant)
        except torch.cuda.OutOfMemoryError:
            contestant.note, contestant.outputs = "no memory for it", []
        except Exception as problem:  # a peer's trouble is no one else's
            contestant.note, contestant.outputs = f"{type(problem).__name__}: {problem}"[:300], []
    clock.wake()
    for _ in range(MOST_ROUNDS):
        # Slow ones stop early, so that they do not take the time of all.
        going = [each for each in ready if len(each.times) < LEAST_ROUNDS or each.spent() < seconds]
        for contestant in going:
            contestant.times.append(clock.once(contestant) / len(contestant.launches))
    clock.settle()
    return ready


def statistics_of(times):
    """{median, p10, p90, rounds} in milliseconds of a launch."""
    ordered = sorted(times)

    def at(share):
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return {"median_ms": statistics.median(ordered), "p10_ms": at(0.1), "p90_ms": at(0.9), "rounds": len(ordered)}
