// Icons, all of Lucide. Each is decoration: the text beside it, or the name of its button, states
// its meaning.
import {
  ArrowDown,
  ArrowLeft,
  ArrowRight,
  Bot,
  Camera,
  Check,
  ChevronDown,
  ChevronRight,
  ChevronUp,
  Circle,
  CircleAlert,
  CircleCheck,
  CircleDot,
  CirclePause,
  CircleSlash,
  Clock,
  Copy,
  Download,
  Ellipsis,
  ExternalLink,
  FileInput,
  FileText,
  Folder,
  FolderGit2,
  FoldVertical,
  GitFork,
  History,
  House,
  type IconNode,
  Image,
  Info,
  Keyboard,
  Laptop,
  Lightbulb,
  ListChecks,
  MessagesSquare,
  Monitor,
  MonitorSmartphone,
  Pencil,
  Pin,
  Play,
  Plug,
  QrCode,
  Radio,
  Search,
  Settings,
  ShieldAlert,
  Terminal,
  TriangleAlert,
  Undo2,
  Unplug,
  User,
  WifiOff,
  Wrench,
  X,
} from "lucide";

const ICONS = {
  back: ArrowLeft,
  import: FileInput,
  forth: ArrowRight,
  check: Check,
  down: ChevronDown,
  right: ChevronRight,
  up: ChevronUp,
  alert: CircleAlert,
  pause: CirclePause,
  clock: Clock,
  copy: Copy,
  external: ExternalLink,
  folder: Folder,
  projects: FolderGit2,
  splits: GitFork,
  overview: House,
  image: Image,
  info: Info,
  laptop: Laptop,
  user: User,
  sessions: MessagesSquare,
  monitor: Monitor,
  devices: MonitorSmartphone,
  play: Play,
  plug: Plug,
  qr: QrCode,
  live: Radio,
  search: Search,
  settings: Settings,
  held: ShieldAlert,
  terminal: Terminal,
  warning: TriangleAlert,
  undo: Undo2,
  tools: Wrench,
  close: X,
  thinking: Lightbulb,
  keys: Keyboard,
  pencil: Pencil,
  pin: Pin,
  unplug: Unplug,
  offline: WifiOff,
  done: CircleCheck,
  camera: Camera,
  compaction: FoldVertical,
  history: History,
  more: Ellipsis,
  save: Download,
  file: FileText,
  tasks: ListChecks,
  agent: Bot,
  open: Circle,
  doing: CircleDot,
  dropped: CircleSlash,
  end: ArrowDown,
} satisfies Record<string, IconNode>;

export type IconName = keyof typeof ICONS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width={size > 20 ? 1.5 : 1.75}
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {ICONS[name].map(([Tag, attributes], at) => {
        const Shape = Tag as "path";
        return <Shape key={at} {...(attributes as object)} />;
      })}
    </svg>
  );
}
