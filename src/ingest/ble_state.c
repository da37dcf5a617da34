#include "ingest/ble_state.h"

#include <stdbool.h>

typedef struct Cell {
        bool is_set;
        BleMove move;
} Cell;

#define TO(state, act)                                                                                      \
        {                                                                                                   \
                true, {                                                                                     \
                        BLE_##state, BLE_##act                                                              \
                }                                                                                           \
        }
#define UNTIL_GONE [BLE_VANISHED] = TO(ABSENT, FORGET)
#define WHILE_LINKED                                                                                        \
        UNTIL_GONE, [BLE_LOST] = TO(WAITING, RETRY), [BLE_REFUSED] = TO(BARRED, BAR),                       \
                    [BLE_DISMISSED] = TO(LEAVING, DISCONNECT)

static const Cell table[BLE_STATE_COUNT][BLE_EVENT_COUNT] = {
        [BLE_ABSENT] = { [BLE_APPEARED] = TO(WAITING, NOTHING) },
        [BLE_WAITING] = { UNTIL_GONE, [BLE_CHOSEN] = TO(CONNECTING, CONNECT),
                        [BLE_REFUSED] = TO(BARRED, BAR) },
        /* BlueZ often doesn't signal Connected: its answer counts, or that services are there. */
        [BLE_CONNECTING] = { UNTIL_GONE, [BLE_ANSWERED] = TO(RESOLVING, AWAIT_SERVICES),
                        [BLE_RESOLVED] = TO(READING_CLOCK, READ_CLOCK), [BLE_FAILED] = TO(WAITING, RETRY),
                        [BLE_TIMED_OUT] = TO(WAITING, CANCEL), [BLE_DISMISSED] = TO(LEAVING, DISCONNECT) },
        [BLE_RESOLVING] = { WHILE_LINKED, [BLE_RESOLVED] = TO(READING_CLOCK, READ_CLOCK),
                        [BLE_FAILED] = TO(WAITING, CANCEL), [BLE_TIMED_OUT] = TO(WAITING, CANCEL) },
        [BLE_READING_CLOCK] = { WHILE_LINKED, [BLE_ANSWERED] = TO(SUBSCRIBING, SUBSCRIBE),
                        [BLE_FAILED] = TO(WAITING, CANCEL), [BLE_TIMED_OUT] = TO(WAITING, CANCEL) },
        [BLE_SUBSCRIBING] = { WHILE_LINKED, [BLE_ANSWERED] = TO(STREAMING, STREAM),
                        [BLE_FAILED] = TO(WAITING, CANCEL), [BLE_TIMED_OUT] = TO(WAITING, CANCEL) },
        [BLE_STREAMING] = { WHILE_LINKED, [BLE_CHANGED] = TO(SUBSCRIBING, SUBSCRIBE) },
        [BLE_LEAVING] = { UNTIL_GONE, [BLE_ANSWERED] = TO(WAITING, REST), [BLE_FAILED] = TO(WAITING, REST),
                        [BLE_TIMED_OUT] = TO(WAITING, REST), [BLE_LOST] = TO(WAITING, REST) },
        [BLE_BARRED] = { UNTIL_GONE, [BLE_BONDED] = TO(WAITING, WELCOME),
                        [BLE_TIMED_OUT] = TO(WAITING, NOTHING) },
};

const BleMove *ble_state_move(BleState state, BleEvent event) {
        const Cell *c = &table[state][event];

        return c->is_set ? &c->move : NULL;
}

const char *ble_state_name(BleState s) {
        static const char *const names[BLE_STATE_COUNT] = {
                [BLE_ABSENT] = "absent",
                [BLE_WAITING] = "waiting",
                [BLE_CONNECTING] = "connecting",
                [BLE_RESOLVING] = "resolving",
                [BLE_READING_CLOCK] = "reading-clock",
                [BLE_SUBSCRIBING] = "subscribing",
                [BLE_STREAMING] = "streaming",
                [BLE_LEAVING] = "leaving",
                [BLE_BARRED] = "barred",
        };

        return names[s];
}
