import { type Answer, emptyOk, errorAnswer, type ErrorSpec, json } from './answers.js';
import { createTask } from './create-task.js';
import type { Work } from './fault-rules.js';
import {
  checkPath,
  type HssCall,
  readEnterpriseProject,
  readNewScan,
  readPage,
  readResourceFilter,
  readRetryRange,
  readTaskFilter,
} from './hss-input.js';
import { listTaskResources, listTasks, taskStatistics } from './read-tasks.js';
import { InvalidInput, oneOf } from './reading.js';
import { isVisible, retryTask } from './retry-task.js';
import type { Operation } from './routing.js';
import type { ScanTask } from './scan-task.js';
import type { World } from './world.js';

type HssOperation = Exclude<Operation, 'CreateToken'>;

export interface Worked {
  readonly answer: Answer;
  readonly taken: readonly string[];
}

/** Carries an HSS call out. Whatever is wrong with it is answered as HSS does: 400, with the reason in the code. */
export function carryOut(world: World, operation: HssOperation, call: HssCall, work: Work, requestId: string): Worked {
  const refuse = (spec: ErrorSpec): Worked => ({ answer: errorAnswer(spec, requestId), taken: [] });
  try {
    return perform(world, operation, call, work, refuse);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    const code = call.body === undefined && operation !== 'ShowTaskStatistics' ? 'HSS.0002' : 'HSS.0001';
    return refuse({ status: 400, code, message: error.message });
  }
}

function perform(
  world: World,
  operation: HssOperation,
  call: HssCall,
  work: Work,
  refuse: (spec: ErrorSpec) => Worked,
): Worked {
  checkPath(call, operation === 'RetryTask' || operation === 'ListTaskResources');
  const enterpriseProject = readEnterpriseProject(call.query);
  switch (operation) {
    case 'RetryTask': {
      const { refusal, taken } = retryTask(world, call, enterpriseProject, readRetryRange(call), work);
      return refusal ? refuse(refusal) : { answer: emptyOk, taken };
    }
    case 'ListTasks':
      return read(listTasks(world, call.projectId, enterpriseProject, readTaskFilter(call), readPage(call.query)));
    case 'ListTaskResources': {
      const [filter, page] = [readResourceFilter(call), readPage(call.query)];
      const task = taskToRead(world, call, enterpriseProject);
      if (!('clusters' in task)) return refuse(task);
      return read(listTaskResources(world, task, filter, page));
    }
    case 'ShowTaskStatistics':
      oneOf(['cluster_scan'])(call.query.get('task_type'), 'task_type');
      return read(taskStatistics(world, call.projectId, enterpriseProject));
    case 'CreateTask': {
      const task = createTask(world, call.projectId, enterpriseProject, readNewScan(call));
      return task ? read({ task_id: task.taskId }) : refuse({ status: 400, code: 'HSS.0011' });
    }
    default:
      return operation satisfies never;
  }
}

function read(value: unknown): Worked {
  return { answer: json(200, value), taken: [] };
}

/** Reading has no "accept": an unknown task is an error, or an empty list cannot be told from a clean task. */
function taskToRead(world: World, call: HssCall, enterpriseProject: string): ScanTask | ErrorSpec {
  const { unknownTask, wrongEnterpriseProject } = world.behaviour;
  const task = world.task(call.projectId, call.taskId);
  const verdict = !task ? unknownTask : isVisible(task, enterpriseProject) ? null : wrongEnterpriseProject;
  if (task && verdict === null) return task;
  return verdict === null || verdict === 'accept' ? { status: 400, code: 'HSS.0011' } : verdict;
}
