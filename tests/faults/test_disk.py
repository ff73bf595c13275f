"""A disk that fills up: the sender is told to come back, and nothing that was told AA is lost."""

from conformance.demo.stage import Stage
from tests.faults.support import Account, compare, drained, message, run, send


def test_below_the_least_free_bytes_the_answer_is_ar_and_after_it_all_goes_on(stage: Stage) -> None:
    account = Account()
    run(send(stage, account, [message(1)]))
    drained(stage)
    assert stage.gateway is not None
    stage.gateway.stop()
    stage.serve(GATEWAY_LIMITS__MIN_FREE_BYTES=str(1 << 60))
    run(send(stage, account, [message(2)]))
    assert account.told == {"FAULT-1-1": "AA", "FAULT-2-1": "AR"}
    stage.gateway.stop()
    stage.serve()
    run(send(stage, account, [message(2)]))
    drained(stage)
    assert account.codes() == {"AA"}
    result = compare(stage, account)
    assert result.problems == (), str(result)
