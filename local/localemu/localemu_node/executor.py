"""Run a Lambda function as a plain node child process.

Upstream can start functions in Docker only. Here an execution environment is one node process
that runs ``worker.mjs`` and speaks JSON lines over two pipes: 50 to 120 ms for a cold start, no
container engine. V8 has the limits that Lambda gives it; what a function has besides its heap is not
limited, and there are no layers.

Workers stay in LocalEmu's process group, so that whoever started it can end them all with one
signal, and a worker ends by itself when its pipe is closed, so that none outlives LocalEmu.
"""

import json
import logging
import os
import select
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

from localemu import config
from localemu.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localemu.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localemu.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localemu.services.lambda_.invocation.runtime_executor import RuntimeExecutor

LOG = logging.getLogger(__name__)

WORKER = Path(__file__).with_name("worker.mjs")
LOOPBACK = "127.0.0.1"

INIT_TIMEOUT_SECONDS = 10
EXIT_TIMEOUT_SECONDS = 2
MAX_FUNCTION_TIMEOUT_SECONDS = 900
READ_SIZE = 1 << 20

Message = dict[str, Any]


class WorkerExited(Exception):
    """The process ended, by itself or because it was stopped, before it answered."""


class WorkerTimedOut(Exception):
    """The process did not answer in time."""


class InitFailed(Exception):
    """The function's module could not be loaded. ``error`` is the runtime's error object."""

    def __init__(self, error: Message) -> None:
        super().__init__(error["errorMessage"])
        self.error = error


class NodeWorker:
    """One node process with its two pipes and its log."""

    def __init__(self, task_root: str, env: dict[str, str]) -> None:
        requests_read, self._requests = os.pipe()
        self._outcomes, outcomes_write = os.pipe()
        self._unread = b""
        # A file rather than a pipe: node writes to it synchronously, so that everything a
        # function logged is there when its outcome arrives.
        self._log: IO[bytes] = tempfile.TemporaryFile()
        self._log_position = 0
        self._process = subprocess.Popen(
            [
                "node",
                *heap_limits(int(env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])),
                str(WORKER),
                str(requests_read),
                str(outcomes_write),
            ],
            cwd=task_root,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            pass_fds=(requests_read, outcomes_write),
        )
        os.close(requests_read)
        os.close(outcomes_write)

    def wait_until_ready(self) -> None:
        """Wait for the function's module to load, or raise InitFailed."""
        try:
            message = self._receive(INIT_TIMEOUT_SECONDS)
        except WorkerExited:
            raise InitFailed(runtime_error("Runtime.ExitError", "exited during init")) from None
        except WorkerTimedOut:
            raise InitFailed(runtime_error("Runtime.InitTimeout", "init timed out")) from None
        if "initError" in message:
            raise InitFailed(message["initError"])

    def ask(self, request: Message, timeout_seconds: float) -> Message:
        """Send one invocation and wait for its outcome."""
        remaining = json.dumps(request).encode() + b"\n"
        try:
            while remaining:
                remaining = remaining[os.write(self._requests, remaining) :]
        except BrokenPipeError as cause:
            raise WorkerExited from cause
        return self._receive(timeout_seconds)

    def _receive(self, timeout_seconds: float) -> Message:
        deadline = time.monotonic() + timeout_seconds
        # Not select.select, which refuses descriptors from 1024 on: an emulator has many.
        outcomes = select.poll()
        outcomes.register(self._outcomes, select.POLLIN)
        while b"\n" not in self._unread:
            seconds_left = max(0, deadline - time.monotonic())
            if not outcomes.poll(seconds_left * 1_000):
                raise WorkerTimedOut
            received = os.read(self._outcomes, READ_SIZE)
            if not received:
                raise WorkerExited
            self._unread += received
        line, self._unread = self._unread.split(b"\n", 1)
        return json.loads(line)

    def take_logs(self) -> str:
        """What was logged since the last call."""
        self._log.seek(self._log_position)
        new = self._log.read()
        self._log_position += len(new)
        return new.decode(errors="replace")

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def exit_status(self) -> int:
        return self._process.wait(EXIT_TIMEOUT_SECONDS)

    def kill(self) -> None:
        """End the process; whoever waits for its outcome gets WorkerExited."""
        self._process.kill()

    def close(self) -> None:
        """End the process and free its pipes. Not while another thread waits for an outcome."""
        self.kill()
        self.exit_status()
        os.close(self._requests)
        os.close(self._outcomes)
        self._log.close()


def heap_limits(memory_mb: int) -> list[str]:
    """How Lambda's own start script bounds V8: a tenth of the memory is for young objects."""
    young_mb = memory_mb // 10
    return [f"--max-semi-space-size={young_mb // 2}", f"--max-old-space-size={memory_mb - young_mb}"]


def runtime_error(error_type: str, message: str) -> Message:
    return {"errorType": error_type, "errorMessage": message}


class NodeExecutor(RuntimeExecutor):
    """LocalEmu's view of one execution environment of a ``nodejs*`` function."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id, function_version)
        self._env: dict[str, str] = {}
        self._worker: NodeWorker | None = None
        self._invocation_lock = threading.Lock()

    def start(self, env_vars: dict[str, str]) -> None:
        self._env = self._worker_env(env_vars)
        try:
            self._worker = self._start_worker()
        except InitFailed as failure:
            payload = json.dumps(failure.error).encode()
            raise StatusErrorException("init", payload=payload) from failure

    def _worker_env(self, function_env: dict[str, Any]) -> dict[str, str]:
        code = self.function_version.config.code
        code.prepare_for_execution()
        env = {
            "PATH": os.environ["PATH"],
            "HOME": tempfile.gettempdir(),
            "LANG": "en_US.UTF-8",
            **{name: str(value) for name, value in function_env.items()},
            "LAMBDA_TASK_ROOT": str(code.get_unzipped_code_location()),
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{self.function_version.config.runtime}",
        }
        if endpoint := os.environ.get("LAMBDA_AWS_ENDPOINT_URL"):
            env["AWS_ENDPOINT_URL"] = endpoint
        if sdk_node_modules := os.environ.get("LAMBDA_SDK_NODE_MODULES"):
            env["LAMBDA_SDK_NODE_MODULES"] = sdk_node_modules
        return env

    def _start_worker(self) -> NodeWorker:
        worker = NodeWorker(self._env["LAMBDA_TASK_ROOT"], self._env)
        try:
            worker.wait_until_ready()
        except InitFailed:
            LOG.warning("%s: %s", self.function_version.qualified_arn, worker.take_logs())
            worker.close()
            raise
        return worker

    def invoke(
        self, payload: dict[str, str], function_timeout: int | None = None
    ) -> InvocationResult:
        timeout_seconds = function_timeout or MAX_FUNCTION_TIMEOUT_SECONDS
        request = {
            "id": payload["invoke-id"],
            "arn": payload["invoked-function-arn"],
            "payload": payload["payload"],
            "traceId": payload.get("trace-id"),
            "timeoutMs": timeout_seconds * 1000,
        }
        with self._invocation_lock:
            return self._invoke(request, timeout_seconds)

    def _invoke(self, request: Message, timeout_seconds: int) -> InvocationResult:
        request_id = request["id"]
        worker = self._worker
        if worker is None or not worker.is_running:
            try:
                worker = self._worker = self._start_worker()
            except InitFailed as failure:
                return failed(request_id, failure.error, logs="")
        try:
            outcome = worker.ask(request, timeout_seconds)
        except WorkerTimedOut:
            message = f"Task timed out after {timeout_seconds}.00 seconds"
            logs = f"{worker.take_logs()}{request_id} {message}\n"
            self._discard_worker()
            error = runtime_error("Sandbox.Timedout", f"RequestId: {request_id} Error: {message}")
            return failed(request_id, error, logs)
        except WorkerExited:
            logs = worker.take_logs()
            message = f"Runtime exited with error: exit status {worker.exit_status()}"
            self._discard_worker()
            error = runtime_error("Runtime.ExitError", f"RequestId: {request_id} Error: {message}")
            return failed(request_id, error, logs)
        logs = worker.take_logs()
        if "error" in outcome:
            return failed(request_id, outcome["error"], logs)
        return InvocationResult(request_id, outcome["ok"].encode(), is_error=False, logs=logs)

    def _discard_worker(self) -> None:
        worker, self._worker = self._worker, None
        if worker:
            worker.close()

    def stop(self) -> None:
        worker = self._worker
        if worker:
            worker.kill()
        with self._invocation_lock:
            self._discard_worker()

    def get_address(self) -> str:
        return LOOPBACK

    def get_endpoint_from_executor(self) -> str:
        return LOOPBACK

    def get_runtime_endpoint(self) -> str:
        # Upstream's own runtime would call back here; this one answers over its pipe.
        return f"http://{LOOPBACK}:{config.GATEWAY_LISTEN[0].port}/_unused"

    def get_logs(self) -> str:
        return ""

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        if code := function_version.config.code:
            code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Nothing to do: LocalEmu deletes the unpacked code itself."""


def failed(request_id: str, error: Message, logs: str) -> InvocationResult:
    return InvocationResult(request_id, json.dumps(error).encode(), is_error=True, logs=logs)


class NodeExecutorPlugin(RuntimeExecutorPlugin):
    """Chosen with LAMBDA_RUNTIME_EXECUTOR=local."""

    name = "local"

    def load(self, *args: Any, **kwargs: Any) -> type[RuntimeExecutor]:
        return NodeExecutor
