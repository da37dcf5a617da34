#include "decode/racp.h"

#include <errno.h>
#include <stdbool.h>

enum { COUNT_RESPONSE = 5, RESPONSE = 6, FILTER_SEQUENCE = 1 };

static uint8_t *put_sequence(uint8_t *p, uint16_t seq) {
        *p++ = (uint8_t) seq;
        *p++ = (uint8_t) (seq >> 8);
        return p;
}

int racp_encode(const RacpRequest *r, uint8_t ret[static RACP_REQUEST_MAX]) {
        bool takes_first = r->operator== RACP_FROM || r->operator== RACP_RANGE;
        bool takes_last = r->operator== RACP_UP_TO || r->operator== RACP_RANGE;
        uint8_t *p = ret;

        if ((r->operation == RACP_ABORT) != (r->operator== RACP_NONE) ||
                        (r->operator== RACP_RANGE && r->first> r->last))
                return -EINVAL;
        *p++ = (uint8_t) r->operation;
        *p++ = (uint8_t) r->operator;
        if (takes_first || takes_last)
                *p++ = FILTER_SEQUENCE;
        if (takes_first)
                p = put_sequence(p, r->first);
        if (takes_last)
                p = put_sequence(p, r->last);
        return (int) (p - ret);
}

static bool is_operation(uint8_t byte) {
        return byte >= RACP_REPORT && byte <= RACP_COUNT;
}

int racp_parse(Bytes value, RacpResponse *ret, Error *e) {
        const uint8_t *b = value.data;

        if (value.len != 4)
                return error_set(e, -EBADMSG, "a response of %zu bytes: expected 4", value.len);
        if (b[1] != RACP_NONE)
                return error_set(e, -EBADMSG, "a response with operator %u: expected 0", b[1]);
        if (b[0] == COUNT_RESPONSE) {
                *ret = (RacpResponse){ RACP_COUNT, (uint16_t) (b[2] | b[3] << 8), RACP_SUCCESS };
                return 0;
        }
        if (b[0] != RESPONSE)
                return error_set(e, -EBADMSG, "opcode %u is no response", b[0]);
        if (!is_operation(b[2]) || !racp_result_text((RacpResult) b[3]))
                return error_set(e, -EBADMSG, "a response to operation %u with result %u: one is reserved",
                                b[2], b[3]);
        *ret = (RacpResponse){ (RacpOperation) b[2], 0, (RacpResult) b[3] };
        return 0;
}

const char *racp_result_text(RacpResult r) {
        switch (r) {
        case RACP_SUCCESS:
                return "success";
        case RACP_OPERATION_NOT_SUPPORTED:
                return "operation not supported";
        case RACP_INVALID_OPERATOR:
                return "invalid operator";
        case RACP_OPERATOR_NOT_SUPPORTED:
                return "operator not supported";
        case RACP_INVALID_OPERAND:
                return "invalid operand";
        case RACP_NO_RECORDS:
                return "no records found";
        case RACP_ABORT_FAILED:
                return "abort failed";
        case RACP_NOT_COMPLETED:
                return "procedure not completed";
        case RACP_OPERAND_NOT_SUPPORTED:
                return "operand not supported";
        }
        return NULL;
}
